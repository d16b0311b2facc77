import pytest

from qsops.engine import texts as own_texts
from qsops.engine.core import log_groups
from qsops.engine.embedded import Embedded
from tests.engine.caller import Caller, out_of_range

URL = "https://shop.test/hook"


async def page(caller: Caller, **query: object) -> tuple[list[tuple[str, list[str]]], str | None]:
    """Messages with the states of their entries, as they come; and the cursor."""
    answer = (await caller.ask("GET", "/v2/logs", groupBy="messageId", **query)).json
    found = [(group["messageId"], [entry["state"] for entry in group["events"]]) for group in answer["messages"]]
    return found, answer.get("cursor")


async def pages(caller: Caller, **query: object) -> list[tuple[str, list[str]]]:
    found, cursor = await page(caller, **query)
    while cursor is not None:
        more, cursor = await page(caller, cursor=cursor, **query)
        found += more
    return found


async def interleaved(engine: Embedded, caller: Caller, count: int = 5) -> list[str]:
    """Messages that fail once each before the first is delivered, so that their entries stand mixed in the log."""
    engine.receiver("https://shop.test", ",".join(["500"] * count + ["200"] * count))
    ids = [await caller.publish(f"{URL}/{number}", b"12345", retry_delay="60000") for number in range(count)]
    await engine.settle()
    return ids


FAILED_ONCE = ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]


@pytest.mark.parametrize("order", ["latestFirst", "earliestFirst"])
@pytest.mark.parametrize("count", [1, 2, 10])
async def test_each_message_is_told_once_and_whole(engine: Embedded, caller: Caller, order: str, count: int):
    """Under whatever page size: no message is split between pages, left out, or told again."""
    ids = await interleaved(engine, caller)
    entries = FAILED_ONCE if order == "earliestFirst" else FAILED_ONCE[::-1]
    found = await pages(caller, order=order, count=count)
    assert [states for _, states in found] == [entries] * 5
    assert [message_id for message_id, _ in found] == (ids if order == "earliestFirst" else ids[::-1])


async def test_a_page_holds_ten_messages(engine: Embedded, caller: Caller):
    """Ten by default and at the most, under either path (reference, section 2.9)."""
    ids = await interleaved(engine, caller, 12)
    found, cursor = await page(caller)
    assert [message_id for message_id, _ in found] == ids[:1:-1]
    rest, end = await page(caller, cursor=cursor)
    assert ([message_id for message_id, _ in rest], end) == (ids[1::-1], None)
    for path in ("/v2/logs", "/v2/events"):
        answer = await caller.ask("GET", path, groupBy="messageId", count=11)
        assert (answer.status, answer.error) == (400, out_of_range(11, 10))
        assert len((await caller.ask("GET", path, groupBy="messageId")).json["messages"]) == 10


async def test_filters_choose_entries(engine: Embedded, caller: Caller):
    """A message is told where an entry of it matches, with those entries that do."""
    ids = await interleaved(engine, caller)
    assert await pages(caller, state="ERROR", count=2) == [(message_id, ["ERROR"]) for message_id in ids[::-1]]
    assert await pages(caller, messageIds=[ids[3], ids[1]], state=["CREATED", "DELIVERED"]) == [
        (ids[3], ["DELIVERED", "CREATED"]),
        (ids[1], ["DELIVERED", "CREATED"]),
    ]
    assert await pages(caller, url=f"{URL}/2", state="CREATED") == [(ids[2], ["CREATED"])]
    assert await pages(caller, label="nobody's") == []


async def test_what_comes_meanwhile_moves_nothing(engine: Embedded, caller: Caller):
    """A listing goes on as it began, though a message that it has not told yet gets new entries."""
    first = await caller.publish(URL, delay="1h")
    second = await caller.publish(URL, delay="2h")
    found, cursor = await page(caller, count=1)
    assert found == [(second, ["CREATED"])]
    await caller.ask("DELETE", f"/v2/messages/{first}")
    assert await page(caller, count=1, cursor=cursor) == ([(first, ["CREATED"])], None)


async def test_a_page_looks_only_so_far(engine: Embedded, caller: Caller, monkeypatch: pytest.MonkeyPatch):
    """It may end before it is full, with a cursor; the next goes on from there."""
    ids = await interleaved(engine, caller)
    monkeypatch.setattr(log_groups, "_LOOKED_AT", 3)
    found, cursor = await page(caller)
    assert len(found) < 5
    assert cursor is not None
    assert [message_id for message_id, _ in await pages(caller)] == ids[::-1]


async def test_a_page_holds_only_so_much(engine: Embedded, caller: Caller, monkeypatch: pytest.MonkeyPatch):
    """It ends early behind a large message; where one alone is too large, its last entries come without bodies."""
    ids = await interleaved(engine, caller)
    monkeypatch.setattr(log_groups, "PAGE_BYTES_LIMIT", 15)
    found, cursor = await page(caller)
    assert found == [(ids[4], FAILED_ONCE[::-1])]
    assert cursor is not None
    (group,) = (await caller.ask("GET", "/v2/logs", groupBy="messageId", messageId=ids[0])).json["messages"]
    assert [entry.get("body") for entry in group["events"]] == ["MTIzNDU="] * 3 + [None] * 3


async def test_bodies_are_shown_as_far_as_is_asked(engine: Embedded, caller: Caller):
    """By message and by entry; 0 shows none."""
    await interleaved(engine, caller, 1)
    (group,) = (await caller.ask("GET", "/v2/logs", groupBy="messageId", trimBody=2)).json["messages"]
    assert {entry["body"] for entry in group["events"]} == {"MTI="}
    assert not any("body" in entry for entry in await caller.logs(trimBody=0))
    assert {entry["body"] for entry in await caller.logs()} == {"MTIzNDU="}


async def test_a_listing_by_something_else_is_refused(caller: Caller):
    """It would be answered in another form than was asked for; so is a cursor of nobody's."""
    answer = await caller.ask("GET", "/v2/logs", groupBy="workflowRunId")
    assert (answer.status, "groupBy" in answer.error) == (400, True)
    answer = await caller.ask("GET", "/v2/logs", groupBy="messageId", cursor="x")
    assert (answer.status, answer.error) == (400, own_texts.invalid_cursor("x"))


async def test_entries_name_the_headers_of_callbacks(engine: Embedded, caller: Caller):
    """What is forwarded with each report (reference, section 2.9)."""
    engine.receiver("https://shop.test", "200")
    headers = {"Upstash-Callback": f"{URL}/c", "Upstash-Callback-Forward-X-A": "1"}
    message_id = (await caller.ask("POST", f"/v2/publish/{URL}", b"", headers)).json["messageId"]
    await engine.settle()
    for entry in await caller.logs(messageId=message_id):
        assert entry["callbackHeaders"] == {"X-A": ["1"]}
        assert "failureCallbackHeaders" not in entry
