from collections.abc import Sequence

import pandas as pd
import pytest

from qsops import fold, frames
from qsops.client import Client
from qsops.errors import AuthError, Corrupt, ServerFault
from qsops.models import LedgerEntry, LogFilter, Publish
from qsops.trace import pull, timeline
from tests.hosted.conftest import Waits
from tests.standins.hosted import HostedQStash
from tests.standins.loopback import Answer

TO = "https://example.com/hook"
SPARE = 1_000


def write(hosted: HostedQStash, count: int) -> list[str]:
    """``count`` entries, three to a millisecond."""
    ids = [f"msg_{n:04d}" for n in range(count)]
    for n, message_id in enumerate(ids):
        hosted.log("ACTIVE", message_id=message_id, time_ms=hosted.now_ms + n // 3)
    return ids


async def nobody(**_: str) -> Sequence[LedgerEntry]:
    """The ledger of a service that knows nothing."""
    return []


@pytest.mark.parametrize("earliest_first", [False, True])
@pytest.mark.parametrize("page_size", [1, 7, 100, 250, None])
async def test_all_pages_come_once_and_in_order(
    client: Client, hosted: HostedQStash, page_size: int | None, earliest_first: bool
):
    """Whatever page the service likes, each entry is there once, oldest first, those of one moment in their order."""
    ids = write(hosted, 250)
    hosted.account.journal.page_size = page_size
    entries = await pull(client, LogFilter(earliest_first=earliest_first))
    assert [entry.message_id for entry in entries] == ids


@pytest.mark.parametrize("known", ["/v2/events", "/v2/logs"])
async def test_either_listing_is_enough(client: Client, hosted: HostedQStash, known: str):
    """A service that has dropped one of the two paths is read through the other, to the same entries."""
    ids = write(hosted, 250)
    gone = {"/v2/events": "/v2/logs", "/v2/logs": "/v2/events"}[known]
    hosted.refuse(404, "not found", times=SPARE, on=f"GET {gone}")
    assert [entry.message_id for entry in await pull(client, LogFilter())] == ids


async def test_the_page_size_is_found_out(client: Client, hosted: HostedQStash):
    """A service that refuses a count is asked for less, and not again for as much."""
    ids = write(hosted, 250)
    # Both paths refuse the first size.
    hosted.refuse(400, "count: 1000 is more than 100", times=2)
    sizes: list[int] = []
    entries = await pull(client, LogFilter(), progress=sizes.append)
    assert ([entry.message_id for entry in entries], sizes) == (ids, [100, 100, 50])
    assert [seen.params["count"] for seen in hosted.seen] == [["1000"], ["1000"], ["100"], ["100"], ["100"]]


async def test_a_burst_limit_slows_the_pull_and_costs_nothing(client: Client, hosted: HostedQStash, waits: Waits):
    """Over the limit the pull waits for the reset; no page is lost or doubled, and few requests are wasted."""
    ids = write(hosted, 60)
    hosted.account.journal.page_size, hosted.limits.requests_per_s = 5, 3
    entries = await pull(client, LogFilter())
    assert [entry.message_id for entry in entries] == ids
    assert len(hosted.seen) <= 12 + len(waits.seconds) <= 12 + 4


@pytest.mark.parametrize("fault", ["lose", "drop", "down"])
async def test_a_fault_in_the_middle_loses_nothing(client: Client, hosted: HostedQStash, fault: str):
    """Each page is asked for again until it is there."""
    ids = write(hosted, 20)
    hosted.account.journal.page_size = 5
    getattr(hosted, fault)(times=3)
    assert [entry.message_id for entry in await pull(client, LogFilter())] == ids


async def test_a_pull_that_fails_returns_nothing(client: Client, hosted: HostedQStash):
    """Half a log looks like a whole one: a page that never comes fails the pull."""
    write(hosted, 20)
    hosted.account.journal.page_size = 5
    await client.logs(LogFilter())

    def then_break(_: int) -> None:
        hosted.down(times=SPARE)

    with pytest.raises(ServerFault):
        await pull(client, LogFilter(), progress=then_break)


async def test_a_wrong_token_is_not_mistaken_for_a_missing_path(client: Client, hosted: HostedQStash):
    """401 is no reason to try the other listing."""
    hosted.refuse(401, "unable to authenticate: invalid token", times=SPARE)
    with pytest.raises(AuthError):
        await pull(client, LogFilter())
    assert len(hosted.seen) == 1


@pytest.mark.parametrize("after_pages", [1, 2, 3])
async def test_an_entry_that_appears_behind_the_cursor_comes_with_the_next_pull(
    client: Client, hosted: HostedQStash, after_pages: int
):
    """What turned up too late for this pull is in the next one, once, at its place; nothing else is doubled."""
    write(hosted, 20)
    hosted.account.journal.page_size = 5
    hosted.log("ERROR", message_id="msg_late", time_ms=hosted.now_ms + 6, appears_after_pages=after_pages)
    first, second = await pull(client, LogFilter()), await pull(client, LogFilter())
    assert [entry.message_id for entry in first].count("msg_late") == 0
    assert [entry.message_id for entry in second].count("msg_late") == 1
    assert len(second) == len(first) + 1 == 21
    assert [entry.time_ms for entry in second] == sorted(entry.time_ms for entry in second)


async def test_an_entry_that_appears_ahead_of_the_cursor_comes_at_once(client: Client, hosted: HostedQStash):
    """An older entry that turns up while newer pages are read belongs to this pull."""
    ids = write(hosted, 20)
    hosted.account.journal.page_size = 5
    hosted.log("ERROR", message_id="msg_late", time_ms=hosted.now_ms - 1, appears_after_pages=2)
    assert [entry.message_id for entry in await pull(client, LogFilter())] == ["msg_late", *ids]


async def test_a_listing_that_leads_in_a_circle_is_told(client: Client, hosted: HostedQStash):
    """A cursor that comes back would pull for ever."""
    hosted.answer(Answer(200, {"events": [], "cursor": "1-1"}), times=SPARE)
    with pytest.raises(Corrupt, match="circle"):
        await pull(client, LogFilter())
    assert len(hosted.seen) == 2


async def test_without_bodies_no_text_is_kept(client: Client, hosted: HostedQStash):
    """A pull for counting holds neither messages nor answers."""
    (receipt,) = await client.publish(Publish(TO, b"canary"))
    hosted.mark_failed(receipt.message_id, 500, b"canary")
    entries = await pull(client, LogFilter(), bodies=False)
    assert "canary" not in repr(entries)
    assert {entry.body for entry in await pull(client, LogFilter())} >= {b"canary"}


@pytest.mark.parametrize("known", ["/v2/events", "/v2/logs"])
async def test_the_frames_tell_the_same_whatever_the_shape(client: Client, hosted: HostedQStash, known: str):
    """Delivered, failed and canceled messages fold to the same rows from either listing."""
    good, bad, gone = [(await client.publish(Publish(TO, labels=("l",))))[0].message_id for _ in range(3)]
    hosted.advance(40)
    hosted.mark_delivered(good)
    hosted.mark_failed(bad, 503, b"busy")
    await client.cancel(gone)
    other = {"/v2/events": "/v2/logs", "/v2/logs": "/v2/events"}[known]
    hosted.refuse(404, "not found", times=SPARE, on=f"GET {other}")
    logs = frames.logs(await pull(client, LogFilter()))
    messages = fold.messages(logs).set_index("message_id")
    attempts = fold.attempts(logs).set_index("message_id")
    assert messages.loc[[good, bad], "state"].tolist() == ["DELIVERED", "FAILED"]
    assert messages.loc[gone, "finished_at"] is not pd.NaT
    assert messages.loc[gone, "state"].startswith("CANCEL")
    assert messages.loc[good, "time_to_deliver_ms"] == 40
    assert attempts["outcome"].to_dict() == {good: "delivered", bad: "failed"}
    assert (attempts.loc[bad, "response_status"], messages.loc[bad, "last_status"]) == (503, 503)
    assert messages["attempts"].to_dict() == {good: 1, bad: 1, gone: 0}


async def test_what_nobody_knows_stands_in_the_frames(client: Client, hosted: HostedQStash):
    """Unknown states and missing fields are rows like any other, and spoil no fold."""
    hosted.log("TELEPORTED", message_id="msg_odd", novelty=1)
    for field in ("time", "url", "state", "messageId"):
        hosted.log("ACTIVE", message_id=f"msg_without_{field}", without=(field,))
    hosted.log("CREATED", message_id="msg_whole")
    hosted.log("ACTIVE", message_id="msg_whole")
    hosted.log("DELIVERED", message_id="msg_whole", responseStatus=200)
    logs = frames.logs(await pull(client, LogFilter()))
    assert len(logs) == 8
    assert "TELEPORTED" in set(logs["state"])
    whole = fold.messages(logs).set_index("message_id").loc["msg_whole"]
    assert (whole["state"], whole["attempts"]) == ("DELIVERED", 1)
    assert fold.attempts(logs).query("message_id == 'msg_whole'")["outcome"].tolist() == ["delivered"]


async def test_a_message_that_began_before_the_window_has_no_guessed_numbers(client: Client, hosted: HostedQStash):
    """Its attempt number and its creation are unknown, which is null, and not 1."""
    hosted.log("CREATED", message_id="msg_old")
    hosted.log("ACTIVE", message_id="msg_old")
    hosted.log("ERROR", message_id="msg_old", responseStatus=500)
    hosted.advance(60_000)
    hosted.log("ACTIVE", message_id="msg_old")
    hosted.log("DELIVERED", message_id="msg_old", responseStatus=200)
    logs = frames.logs(await pull(client, LogFilter(from_ms=hosted.now_ms)))
    (attempt,) = fold.attempts(logs).to_dict("records")
    (message,) = fold.messages(logs).to_dict("records")
    assert attempt["outcome"] == "delivered"
    assert pd.isna(attempt["attempt"])
    assert pd.isna(message["created_at"])
    assert pd.isna(message["time_to_deliver_ms"])


async def test_the_timeline_of_a_message(client: Client, hosted: HostedQStash):
    """Created, each attempt with its status, and the end, in order, from small pages."""
    (receipt,) = await client.publish(Publish(TO, retries=1))
    hosted.account.journal.page_size = 2
    for _ in range(10):
        hosted.log("ACTIVE", message_id="msg_other")
    hosted.advance(100)
    hosted.log("ACTIVE", message_id=receipt.message_id)
    hosted.log("ERROR", message_id=receipt.message_id, responseStatus=500, nextDeliveryTime=hosted.now_ms + 1000)
    hosted.log("RETRY", message_id=receipt.message_id, nextDeliveryTime=hosted.now_ms + 1000)
    hosted.advance(1000)
    hosted.mark_failed(receipt.message_id, 503)
    frame = (await timeline(client, nobody, receipt.message_id)).frame
    assert frame["step"].tolist() == ["created", "attempt 1", "attempt 2", "failed"]
    assert frame["status"].dropna().tolist() == [500, 503]
    assert frame["since_start_ms"].tolist() == [0, 100, 1100, 1100]
