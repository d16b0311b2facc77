"""Which ranges a sync pulls, and in which steps: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qsops.archive.spans import Span

__all__ = ["FIRST_MS", "MOST", "MOST_WITH_BODIES", "narrower", "wanted", "wider"]

#: How long the first window is, before anybody knows how dense the log is.
FIRST_MS: Final = 600_000
#: A window with more entries than this is pulled anew in smaller ones: what is in memory at once is bounded.
MOST: Final = 200_000
#: The texts of one entry may be larger than a thousand entries without.
MOST_WITH_BODIES: Final = 5_000
_SHRINK: Final = 4
_GROW: Final = 8


def wanted(covered: Sequence[Span], from_ms: int, to_ms: int, lateness_ms: int) -> tuple[Span, ...]:
    """The parts of a range that are to be pulled: those that are not covered, and the last ``lateness_ms`` before.

    What is listed late belongs to an earlier time, so the end of a pulled range is looked at once more.
    """
    found: list[Span] = []
    at_ms = from_ms
    for first_ms, last_ms in covered:
        settled_ms = last_ms - lateness_ms
        if settled_ms < first_ms or settled_ms < at_ms:
            continue
        if first_ms > at_ms:
            found.append((at_ms, min(first_ms - 1, to_ms)))
        at_ms = settled_ms + 1
        if at_ms > to_ms:
            break
    if at_ms <= to_ms:
        found.append((at_ms, to_ms))
    return tuple(span for span in found if span[0] <= span[1])


def narrower(width_ms: int) -> int:
    """The width to try after one that held too many entries; at least a millisecond, which cannot be cut."""
    return max(1, width_ms // _SHRINK)


def wider(width_ms: int, entries: int, most: int) -> int:
    """The width after a window of so many entries, so that the next has about half of ``most``."""
    return max(1, min(width_ms * _GROW, width_ms * most // (2 * max(1, entries))))
