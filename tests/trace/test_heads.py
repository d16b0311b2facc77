from dataclasses import replace

import pandas as pd

from qsops import fold, frames
from qsops.client import Client
from qsops.clock import EPOCH_MS
from qsops.models import LogEntry, LogFilter
from qsops.trace import pull_with_heads
from qsops.trace.heads import headless
from tests.trace.listing import Listing

SINCE = LogFilter(from_ms=EPOCH_MS + 10_000)


async def test_what_came_before_the_range_is_fetched(client: Client, listing: Listing, story: list[LogEntry]):
    """An attempt in the range gets its number, and its message the time it was created, from before the range."""
    listing.entries = story
    logs = frames.logs_of(await pull_with_heads(client, SINCE))
    assert fold.attempts(logs)["attempt"].tolist() == [1, 2]
    (message,) = fold.messages(logs).to_dict("records")
    assert message["created_at"] == pd.Timestamp(EPOCH_MS, unit="ms", tz="UTC")
    assert message["time_to_deliver_ms"] == 12_049
    assert [(asked.message_ids, asked.to_ms) for asked in listing.asked[1:]] == [(("msg_1",), EPOCH_MS + 9_999)]


async def test_a_whole_story_asks_for_nothing_more(client: Client, listing: Listing, story: list[LogEntry]):
    """Only messages without their CREATED cost a request, and an open range none at all."""
    listing.entries = story
    for which in (LogFilter(from_ms=EPOCH_MS), LogFilter()):
        assert frames.logs_of(await pull_with_heads(client, which)).equals(frames.logs(story))
    assert len(listing.asked) == 2


async def test_what_is_forgotten_stays_unknown(client: Client, listing: Listing, story: list[LogEntry]):
    """A head that the service no longer has leaves nulls, and no error."""
    listing.entries = story[4:]
    logs = frames.logs_of(await pull_with_heads(client, SINCE))
    assert fold.attempts(logs)["attempt"].isna().all()
    assert fold.messages(logs)["created_at"].isna().all()


async def test_ids_go_in_requests_that_stay_short(client: Client, listing: Listing, story: list[LogEntry]):
    """Many messages are asked for fifty at a time."""
    listing.entries = [replace(entry, message_id=f"msg_{n:03}") for entry in story for n in range(120)]
    tables = await pull_with_heads(client, SINCE)
    assert [len(asked.message_ids) for asked in listing.asked] == [0, 50, 50, 20]
    assert headless(tables) == []
    logs = frames.logs_of(tables)
    assert len(logs) == len(listing.entries)
    assert logs["time"].is_monotonic_increasing


async def test_bodies_are_not_held(client: Client, listing: Listing, story: list[LogEntry]):
    """Whichever request brought them."""
    listing.entries = [replace(entry, body=b"canary") for entry in story]
    assert not [table for table in await pull_with_heads(client, SINCE) if "canary" in str(table.to_pylist())]
