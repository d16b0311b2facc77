from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.client import Client
from qsops.clock import EPOCH_MS
from qsops.errors import ServerFault
from qsops.models import LogEntry, LogFilter
from qsops.trace import pull
from qsops.trace.pulling import windows_of
from tests.trace.listing import Listing


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(-1, 40))
def test_windows_cover_the_range_once(start_ms: int, span_ms: int, count: int):
    """Each millisecond of a range is in one window and in no other, the latest window first."""
    found = windows_of(LogFilter(from_ms=start_ms, to_ms=start_ms + span_ms), count)
    assert len(found) == max(1, min(count, span_ms + 1))
    assert found[-1].from_ms == start_ms
    assert found[0].to_ms == start_ms + span_ms
    for later, earlier in pairwise(found):
        assert earlier.to_ms is not None
        assert later.from_ms == earlier.to_ms + 1


@pytest.mark.parametrize("which", [LogFilter(), LogFilter(from_ms=1), LogFilter(to_ms=1)])
def test_an_open_range_is_one_window(which: LogFilter):
    """What has no end cannot be divided."""
    assert windows_of(which, 8) == [which]


@pytest.mark.parametrize("earliest_first", [False, True])
@pytest.mark.parametrize("windows", [1, 2, 3, 7, 100])
async def test_windows_at_once_tell_the_same(client: Client, listing: Listing, windows: int, earliest_first: bool):
    """However a range is divided, the entries and their order are those of one listing."""
    listing.entries = [LogEntry(EPOCH_MS + n // 3, f"msg_{n:03}", "ACTIVE", url="u") for n in range(120)]
    listing.page = 7
    which = LogFilter(from_ms=EPOCH_MS, to_ms=EPOCH_MS + 39, earliest_first=earliest_first)
    told: list[int] = []
    entries = await pull(client, which, windows=windows, progress=told.append)
    assert [entry.message_id for entry in entries] == [f"msg_{n:03}" for n in range(120)]
    assert sum(told) == 120


async def test_a_window_that_fails_fails_the_pull_with_its_own_error(
    client: Client, listing: Listing, monkeypatch: pytest.MonkeyPatch
):
    """Who catches the error of a request catches it here, too: no group of errors comes out."""
    listing.entries = [LogEntry(EPOCH_MS + n, "msg_1", "ACTIVE", url="u") for n in range(40)]
    ask = client.logs

    async def fail_for_the_old(which: LogFilter, *rest: object) -> object:
        if which.from_ms == EPOCH_MS:
            raise ServerFault(503, "down")
        return await ask(which, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "logs", fail_for_the_old)
    with pytest.raises(ServerFault, match="down"):
        await pull(client, LogFilter(from_ms=EPOCH_MS, to_ms=EPOCH_MS + 39), windows=4)
