from collections.abc import Sequence

import pytest

from qsops.client import Client
from qsops.clock import EPOCH_MS
from qsops.errors import QsopsError, Unreachable
from qsops.models import LedgerEntry, LogEntry
from qsops.trace import Timeline, timeline
from tests.trace.listing import Listing

EVENT = LedgerEntry(
    "evt_1",
    "message",
    "acct",
    "processed",
    received_at_ms=EPOCH_MS - 5,
    mid="mid.1",
    message_id="msg_1",
    published_at_ms=EPOCH_MS - 1,
    processed_at_ms=EPOCH_MS + 12_040,
)
STEPS = ["received", "published", "created", "attempt 1", "processed", "attempt 2"]


class Ledger:
    """The service's ledger, and what it was asked."""

    def __init__(self, *entries: LedgerEntry) -> None:
        self.entries = entries
        self.asked: list[dict[str, str]] = []

    async def __call__(self, **which: str) -> Sequence[LedgerEntry]:
        self.asked.append(which)
        names = {"event_id": "event_id", "mid": "mid", "message_id": "message_id"}
        return [e for e in self.entries if all(getattr(e, names[name]) == value for name, value in which.items())]


async def story_of(client: Client, listing: Listing, entries: list[LogEntry], ref: str = "msg_1") -> Timeline:
    listing.entries = entries
    return await timeline(client, Ledger(), ref)


@pytest.mark.parametrize("ref", ["msg_1", "event:evt_1", "ig:mid.1"])
async def test_one_story_by_each_of_its_names(client: Client, listing: Listing, story: list[LogEntry], ref: str):
    """By message, event or Instagram id: received, published, each attempt, processed, in the order of time."""
    listing.entries = story
    found = await timeline(client, Ledger(EVENT), ref)
    assert found.frame["step"].tolist() == STEPS
    assert found.frame["since_start_ms"].tolist() == [0, 4, 5, 14, 12_045, 12_054]
    assert found.frame["at"].is_monotonic_increasing
    assert found.frame["status"].dropna().tolist() == [500, 200]


async def test_its_text_is_the_same_each_time_and_shows_no_address(
    client: Client, listing: Listing, story: list[LogEntry]
):
    """Strict nbval compares what is printed: nothing in it may depend on the process."""
    listing.entries = story
    one, two = [await timeline(client, Ledger(EVENT), "msg_1") for _ in range(2)]
    assert repr(one) == repr(two)
    assert one._repr_html_() == two._repr_html_()
    assert "0x" not in repr(one) + one._repr_html_()
    assert repr(one).startswith("msg_1: delivered after 12.1 s\n")


async def test_what_comes_from_outside_is_text(client: Client, listing: Listing, story: list[LogEntry]):
    """An error, and the very name that was asked for, are shown in HTML and never become part of it."""
    bad = [LogEntry(EPOCH_MS + 9, "<i>x</i>", "ERROR", url="u", error="<b>no</b>")]
    shown = (await story_of(client, listing, bad, "<i>x</i>"))._repr_html_()
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "&lt;b&gt;no&lt;/b&gt;" in shown


@pytest.mark.parametrize("state", ["queued", "parked"])
async def test_a_waiting_event_has_a_story_without_a_message(client: Client, listing: Listing, state: str):
    """What never reached QStash is told from the ledger alone, with the reason."""
    waiting = LedgerEntry("evt_2", "message", "acct", state, EPOCH_MS, reason="400: destination refused")
    found = await timeline(client, Ledger(waiting), "event:evt_2")
    assert found.frame["step"].tolist() == ["received", state]
    assert found.frame["detail"].tolist()[-1] == "400: destination refused"
    assert listing.asked == []


async def test_a_message_has_a_story_while_the_service_is_away(client: Client, listing: Listing, story: list[LogEntry]):
    """A service that is down is a reason to trace: the log tells what it knows, and the title what is missing."""

    async def away(**which: str) -> Sequence[LedgerEntry]:
        raise Unreachable("no connection to http://127.0.0.1:8000")

    listing.entries = story
    found = await timeline(client, away, "msg_1")
    assert found.frame["step"].tolist() == ["created", "attempt 1", "attempt 2"]
    assert "without the service's ledger: no connection to http://127.0.0.1:8000" in repr(found)
    with pytest.raises(Unreachable):
        await timeline(client, away, "event:evt_1")


async def test_a_state_of_a_later_day_is_part_of_the_story(client: Client, listing: Listing, story: list[LogEntry]):
    """An unknown state stands in the story where it came, as it came."""
    odd = LogEntry(EPOCH_MS + 5_000, "msg_1", "TELEPORTED", url="u")
    found = await story_of(client, listing, [*story, odd])
    assert found.frame["step"].tolist() == ["created", "attempt 1", "TELEPORTED", "attempt 2"]


@pytest.mark.parametrize(
    ("cut", "last_step", "status"),
    [(1, "created", None), (2, "attempt 1", None), (4, "attempt 1", 500), (5, "attempt 2", None)],
)
async def test_a_story_that_is_not_over(
    client: Client, listing: Listing, story: list[LogEntry], cut: int, last_step: str, status: int | None
):
    """What is under way is told as far as it has come."""
    found = await story_of(client, listing, story[:cut])
    assert found.frame["step"].tolist()[-1] == last_step
    shown = found.frame["status"].dropna().tolist()
    assert (shown[-1] if status else None) == status
    assert found.ref in repr(found)


async def test_an_attempt_of_unknown_number_is_told_as_such(client: Client, listing: Listing, story: list[LogEntry]):
    """What began before the log's memory has no number that we know."""
    assert (await story_of(client, listing, story[4:])).frame["step"].tolist() == ["attempt ?"]


async def test_an_attempt_without_an_end_says_so(client: Client, listing: Listing, story: list[LogEntry]):
    """A start whose end was never written, with another start behind it, is no attempt in flight."""
    found = await story_of(client, listing, [story[0], story[1], *story[4:]])
    assert found.frame["detail"].tolist()[1:] == ["no end was written", "delivered"]


async def test_what_nobody_knows_is_one_clear_line(client: Client, listing: Listing):
    """A name that neither the log nor the ledger knows is told, and repeated."""
    with pytest.raises(QsopsError, match="'ig:nobody'"):
        await timeline(client, Ledger(), "ig:nobody")
