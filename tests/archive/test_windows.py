"""Which ranges are pulled, and in which steps."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qsops.archive.spans import united
from qsops.archive.windows import MOST, narrower, wanted, wider

_SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), max_size=6).map(
    lambda found: united((first, first + length) for first, length in found)
)


@given(covered=_SPANS, from_ms=st.integers(0, 40), length=st.integers(0, 30), lateness=st.integers(0, 6))
def test_what_is_pulled(covered: list[tuple[int, int]], from_ms: int, length: int, lateness: int) -> None:
    """Every millisecond of a range is pulled but those that were, and are older than their range's last ones."""
    to_ms = from_ms + length
    settled = {at for first, last in covered for at in range(first, last - lateness + 1)}
    found = wanted(covered, from_ms, to_ms, lateness)
    pulled = [at for first, last in found for at in range(first, last + 1)]
    assert pulled == sorted(set(pulled))
    assert set(pulled) == set(range(from_ms, to_ms + 1)) - settled


@given(_SPANS, _SPANS)
def test_united(some: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]) -> None:
    """United ranges hold the same milliseconds, and no two of them touch."""
    found = united([*some, *others])
    milliseconds = {at for first, last in [*some, *others] for at in range(first, last + 1)}
    assert {at for first, last in found for at in range(first, last + 1)} == milliseconds
    assert all(first > last + 1 for (_, last), (first, _) in pairwise(found))


@given(per_s=st.integers(1, 20_000))
def test_dense_log(per_s: int) -> None:
    """However dense a log is, after a few windows each of them holds a good number of entries, and never too many."""
    width_ms, counts = 600_000, []
    for _ in range(20):
        count = width_ms * per_s // 1000
        if count > MOST:
            width_ms = narrower(width_ms)
            continue
        counts.append(count)
        width_ms = wider(width_ms, count, MOST)
    assert max(counts) <= MOST
    assert min(counts[-3:]) > MOST // 4
