"""A range in parts: each millisecond once, and the same entries however it is read."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops import frames
from qsops.client import Client
from qsops.clock import EPOCH_MS
from qsops.errors import ServerFault
from qsops.models import LogEntry, LogFilter
from qsops.trace import pull, pull_tables
from qsops.trace.ranges import cut_at, parts_of, windows_of
from tests.trace.listing import Listing


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(-1, 40))
def test_windows_cover_the_range_once(start_ms: int, span_ms: int, count: int):
    """Each millisecond of a range is in one window and in no other, the latest window first."""
    found = windows_of(LogFilter(from_ms=start_ms, to_ms=start_ms + span_ms), count)
    assert len(found) == max(1, min(count, span_ms + 1))
    _cover(found, start_ms, start_ms + span_ms)


@given(st.integers(0, 10_000), st.integers(0, 100_000), st.integers(0, 100_000), st.booleans())
def test_parts_cover_the_range_once(start_ms: int, span_ms: int, page_ms: int, is_open: bool):
    """Wherever the first page ends; an open end stays open, so that what comes meanwhile belongs to the latest part."""
    end_ms = start_ms + span_ms
    which = LogFilter(from_ms=start_ms, to_ms=None if is_open else end_ms)
    latest, *others = parts_of(which, end_ms, max(start_ms, end_ms - page_ms))
    assert latest.to_ms == which.to_ms
    _cover([LogFilter(from_ms=latest.from_ms, to_ms=end_ms), *others], start_ms, end_ms)


def _cover(found: list[LogFilter], start_ms: int, end_ms: int) -> None:
    assert (found[-1].from_ms, found[0].to_ms) == (start_ms, end_ms)
    for later, earlier in pairwise(found):
        assert earlier.to_ms is not None
        assert later.from_ms == earlier.to_ms + 1


@pytest.mark.parametrize("which", [LogFilter(), LogFilter(from_ms=1), LogFilter(to_ms=1)])
def test_an_open_range_is_one_window(which: LogFilter):
    """What has no end cannot be divided."""
    assert windows_of(which, 8) == [which]


@pytest.mark.parametrize("earliest_first", [False, True])
@pytest.mark.parametrize("to_ms", [None, EPOCH_MS + 999])
@pytest.mark.parametrize("spread", ["even", "at the end", "in one millisecond"])
async def test_parts_at_once_tell_the_same(
    client: Client, listing: Listing, spread: str, to_ms: int | None, earliest_first: bool
):
    """However a range is parted, the entries and their order are those of one listing, late ones among them."""
    at_ms = {"even": lambda n: n * 3, "at the end": lambda n: 900 + n // 4, "in one millisecond": lambda _: 7}[spread]
    listing.entries = [LogEntry(EPOCH_MS + at_ms(n), f"msg_{n:03}", "ACTIVE", url="u") for n in range(300)]
    listing.entries.append(LogEntry(EPOCH_MS + 1, "late", "ACTIVE", url="u"))
    listing.page = 7
    which = LogFilter(from_ms=EPOCH_MS, to_ms=to_ms, earliest_first=earliest_first)
    told: list[int] = []
    entries = await pull(client, which, progress=told.append)
    assert entries == sorted(listing.entries, key=lambda entry: entry.time_ms)
    assert sum(told) == 301
    tables = await pull_tables(client, which)
    assert frames.logs_of(tables).equals(frames.logs(entries))


async def test_a_long_range_is_read_at_once(client: Client, listing: Listing):
    """So many requests are under way as were asked for, and no more; few pages are read twice."""
    listing.entries = [LogEntry(EPOCH_MS + n, "msg_1", "ACTIVE", url="u") for n in range(2_000)]
    listing.page = 10
    under_way, most = 0, 0
    ask = listing.send

    async def counted(request: object) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await listing.turn()
        under_way -= 1
        return await ask(request)  # type: ignore[arg-type]

    listing.send = counted  # type: ignore[assignment]
    assert len(await pull(client, LogFilter(from_ms=EPOCH_MS), at_once=5)) == 2_000
    assert most == 5
    assert len(listing.asked) <= 200 * 1.1


async def test_a_part_that_fails_fails_the_pull_with_its_own_error(
    client: Client, listing: Listing, monkeypatch: pytest.MonkeyPatch
):
    """Who catches the error of a request catches it here, too: no group of errors comes out."""
    listing.entries = [LogEntry(EPOCH_MS + n, "msg_1", "ACTIVE", url="u") for n in range(400)]
    listing.page = 5
    ask = client.log_page
    asked: list[LogFilter] = []

    async def fail_for_the_old(which: LogFilter, *rest: object) -> object:
        asked.append(which)
        if which.from_ms == EPOCH_MS and len(asked) > 1:
            raise ServerFault(503, "down")
        return await ask(which, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "log_page", fail_for_the_old)
    with pytest.raises(ServerFault, match="down"):
        await pull(client, LogFilter(from_ms=EPOCH_MS, to_ms=EPOCH_MS + 399))
    assert len(asked) > 2


async def test_a_quiet_end_hides_no_long_rest(client: Client, listing: Listing):
    """The first page tells little where the newest hours are quiet: what comes before them is parted all the same."""
    quiet = [LogEntry(EPOCH_MS + 5_000 + 100 * n, "msg_1", "ACTIVE", url="u") for n in range(200)]
    busy = [LogEntry(EPOCH_MS + n, "msg_2", "ACTIVE", url="u") for n in range(5_000)]
    listing.entries, listing.page = [*busy, *quiet], 10
    under_way, most = 0, 0
    ask = listing.send

    async def counted(request: object) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await listing.turn()
        under_way -= 1
        return await ask(request)  # type: ignore[arg-type]

    listing.send = counted  # type: ignore[assignment]
    told: list[int] = []
    assert await pull(client, LogFilter(from_ms=EPOCH_MS), progress=told.append) == [*busy, *quiet]
    assert sum(told) == 5_200, "what is read again is taken back"
    assert min(told) < 0
    assert most == 16
    assert len(listing.asked) <= 520 * 1.3


@given(st.integers(0, 100), st.integers(0, 100), st.integers(-5, 210))
def test_a_cut_loses_no_millisecond(start_ms: int, span_ms: int, at_ms: int):
    """Both sides together are the range, wherever it is cut; one that has no beginning cannot be."""
    which = LogFilter(from_ms=start_ms, to_ms=start_ms + span_ms)
    cut = cut_at(which, at_ms)
    assert (cut is None) == (at_ms <= start_ms)
    if cut is not None:
        assert (cut[0].from_ms, cut[0].to_ms) == (at_ms, which.to_ms)
        assert (cut[1].from_ms, cut[1].to_ms) == (start_ms, at_ms - 1)
    assert cut_at(LogFilter(to_ms=at_ms), at_ms) is None
    assert cut_at(LogFilter(from_ms=start_ms, earliest_first=True), at_ms) is None
