import json

import pytest

from qsops.clock import EPOCH_MS
from qsops.engine.embedded import Embedded
from tests.engine.caller import TOKENS, Caller, out_of_range

URL = "https://shop.test/hook"


async def one_of_each(engine: Embedded, caller: Caller) -> dict[str, str]:
    """A message delivered at the first attempt, one at the second, a dead and a canceled one."""
    engine.receiver("https://shop.test", "200")
    engine.receiver("https://flaky.test", "500,200")
    engine.receiver("https://dead.test", "500")
    ids = {
        "good": await caller.publish(f"{URL}?a=1", b"g", label="l1,l2"),
        "flaky": await caller.publish("https://flaky.test/x", b"f", label="l1", retry_delay="1000"),
        "dead": await caller.publish("https://dead.test:8443/y", b"d", retries=0),
        "canceled": await caller.publish(URL, b"c", delay="1h"),
    }
    await caller.ask("DELETE", f"/v2/messages/{ids['canceled']}")
    await engine.settle()
    return ids


async def test_both_paths_tell_the_same(engine: Embedded, caller: Caller):
    """/v2/events under ``events`` for the SDKs, /v2/logs under ``logs`` as documented; newest first."""
    await one_of_each(engine, caller)
    events = (await caller.ask("GET", "/v2/events")).json
    logs = (await caller.ask("GET", "/v2/logs")).json
    assert events["events"] == logs["logs"]
    assert len(events["events"]) == 3 + 6 + 4 + 3
    times = [entry["time"] for entry in events["events"]]
    assert times == sorted(times, reverse=True)


async def test_an_entry_carries_its_message(engine: Embedded, caller: Caller):
    """Every entry repeats the message's url, method, labels, retries, headers and body."""
    ids = await one_of_each(engine, caller)
    for entry in await caller.logs(messageId=ids["flaky"]):
        assert (entry["url"], entry["method"], entry["label"]) == ("https://flaky.test/x", "POST", "l1")
        assert (entry["maxRetries"], entry["retryDelayExpression"], entry["retryDelayExpr"]) == (3, "1000", "1000")
        assert entry["body"] == "Zg=="
        assert entry["callerIP"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "DELIVERED"}, ["flaky", "good"]),
        ({"state": "FAILED"}, ["dead"]),
        ({"state": "CANCELED"}, ["canceled"]),
        ({"state": "CANCELLED"}, ["canceled"]),
        ({"state": ["FAILED", "CANCELED"]}, ["canceled", "dead"]),
        ({"label": "l2", "state": "DELIVERED"}, ["good"]),
        ({"label": ["l1", "l2"], "state": "DELIVERED"}, ["flaky", "good"]),
        ({"url": f"{URL}?a=1", "state": "CREATED"}, ["good"]),
        ({"host": "dead.test:8443", "state": "CREATED"}, ["dead"]),
        ({"host": "shop.test", "state": "CREATED"}, ["canceled", "good"]),
        ({"path": ["/x", "/y"], "state": "CREATED"}, ["dead", "flaky"]),
        ({"callerIp": "127.0.0.1", "state": "FAILED"}, ["dead"]),
        ({"callerIp": "10.0.0.1"}, []),
        ({"fromDate": EPOCH_MS + 1_000, "toDate": EPOCH_MS + 1_000, "state": "DELIVERED"}, ["flaky"]),
        ({"toDate": EPOCH_MS, "state": "DELIVERED"}, ["good"]),
        ({"queueName": "q"}, []),
    ],
)
async def test_filters(engine: Embedded, caller: Caller, query: dict, found: list[str]):
    """Values of a filter are ORed, filters ANDed, dates inclusive; a cancelled state has two spellings."""
    ids = await one_of_each(engine, caller)
    names = {message_id: name for name, message_id in ids.items()}
    assert [names[entry["messageId"]] for entry in await caller.logs(**query)] == found


async def test_in_progress_is_a_filter_of_three_states(engine: Embedded, caller: Caller):
    """IN_PROGRESS is no state of an entry; it stands for ACTIVE, ERROR and RETRY."""
    ids = await one_of_each(engine, caller)
    found = await caller.logs(state="IN_PROGRESS", messageId=ids["flaky"], order="earliestFirst")
    assert [entry["state"] for entry in found] == ["ACTIVE", "ERROR", "RETRY", "ACTIVE"]


async def test_several_message_ids(engine: Embedded, caller: Caller):
    """Ids come under messageId or messageIds, repeated or with commas."""
    ids = await one_of_each(engine, caller)
    both = {ids["good"], ids["dead"]}
    for query in ({"messageIds": list(both)}, {"messageIds": ",".join(both)}, {"messageId": list(both)}):
        assert {entry["messageId"] for entry in await caller.logs(**query)} == both


@pytest.mark.parametrize("order", ["latestFirst", "earliestFirst"])
async def test_pages_cover_the_log_once_while_it_grows(engine: Embedded, caller: Caller, order: str):
    """A cursor counts by the order of commits: entries that come between two pages neither shift nor repeat any."""
    await one_of_each(engine, caller)

    def key(entry: dict) -> str:
        return json.dumps(entry, sort_keys=True)

    before = [key(entry) for entry in await caller.logs(order=order)]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"order": order, "count": 3} | ({"cursor": cursor} if cursor else {})
        page = (await caller.ask("GET", "/v2/events", **query)).json
        seen += [key(entry) for entry in page["events"]]
        cursor = page.get("cursor")
        if cursor is None:
            break
        if len(seen) < 12:
            await caller.publish(URL, delay="1s")
    assert seen[: len(before)] == before
    assert len(seen) == len(before) + (3 if order == "earliestFirst" else 0)


async def test_the_cursor_is_absent_at_the_end(engine: Embedded, caller: Caller):
    """A page that holds the last entry, be it full or not, carries no cursor."""
    await one_of_each(engine, caller)
    assert "cursor" not in (await caller.ask("GET", "/v2/logs", count=16)).json
    assert "cursor" in (await caller.ask("GET", "/v2/logs", count=15)).json


@pytest.mark.parametrize(("path", "limit"), [("/v2/events", 1_000), ("/v2/logs", 100)])
async def test_a_page_has_a_limit(caller: Caller, path: str, limit: int):
    """The SDKs' path pages by up to 1,000, the documented one by 100."""
    assert (await caller.ask("GET", path, count=limit)).status == 200
    answer = await caller.ask("GET", path, count=limit + 1)
    assert (answer.status, answer.error) == (400, out_of_range(limit + 1, limit))


@pytest.mark.parametrize("state", ["FOO", "error", "DELIVERED,X"])
async def test_a_state_that_there_is_none_of_is_refused(caller: Caller, state: str):
    """400 that names it: an empty page would look as if nothing had failed."""
    answer = await caller.ask("GET", f"/v2/logs?state={state}")
    assert answer.status == 400
    assert f"state: '{state.rpartition(',')[2]}'" in str(answer.json)


async def test_a_page_of_large_bodies_ends_early(engine: Embedded, caller: Caller):
    """A page holds 32 MiB and a little at the most; its cursor leads to the rest."""
    for _ in range(5):
        await caller.publish(URL, b"x" * 9 * 1024 * 1024, delay="1h")
    first = (await caller.ask("GET", "/v2/events")).json
    second = (await caller.ask("GET", "/v2/events", cursor=first["cursor"])).json
    assert (len(first["events"]), len(second["events"])) == (4, 1)


@pytest.mark.parametrize(
    "query", [{"cursor": "1-x"}, {"cursor": "nonsense"}, {"count": "many"}, {"fromDate": "today"}, {"order": "random"}]
)
async def test_a_parameter_that_cannot_be_read_is_named(caller: Caller, query: dict):
    """400, naming the parameter and the value."""
    answer = await caller.ask("GET", "/v2/events", **query)
    assert answer.status == 400
    ((name, value),) = query.items()
    assert name in answer.error
    assert str(value) in answer.error


async def test_an_account_reads_its_own_log_only(engine: Embedded, caller: Caller):
    """Entries of another account are invisible, by any filter."""
    ids = await one_of_each(engine, caller)
    other = Caller(engine.send, TOKENS[2])
    assert await other.logs() == []
    assert await other.logs(messageId=ids["good"]) == []
