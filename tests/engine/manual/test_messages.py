import pytest

from qsops.clock import EPOCH_MS
from qsops.engine.embedded import Embedded
from qsops.wire import texts
from tests.engine.caller import TOKENS, Caller

URL = "https://shop.test/hook"


@pytest.mark.parametrize(
    ("host", "cancelled"), [("shop.test", 1), ("shop.test:8000", 1), ("shop.test,shop.test:8000", 2), ("shop", 0)]
)
async def test_a_host_is_one_with_its_port(caller: Caller, host: str, cancelled: int):
    """A filter by host finds what stands in the URL, with the port if it has one."""
    for url in ("https://shop.test/a", "https://shop.test:8000/a"):
        await caller.publish(url, delay="1h")
    assert (await caller.ask("DELETE", "/v2/messages", host=host)).json == {"cancelled": cancelled}


async def test_a_message_reads_back_as_it_was_published(caller: Caller):
    """Header map, body, labels, retries, callbacks and times are there; what was not set is absent."""
    headers = {
        "Content-Type": "application/json",
        "upstash-forward-test-header": "v",
        "Upstash-Label": "one,two",
        "Upstash-Retry-Delay": "1000",
        "Upstash-Callback": "https://shop.test/back",
        "Upstash-Delay": "60s",
    }
    sent = await caller.ask("POST", f"/v2/publish/{URL}", b'{"a":1}', headers)
    message = (await caller.ask("GET", f"/v2/messages/{sent.json['messageId']}")).json
    assert message["header"] == {"Content-Type": ["application/json"], "Test-Header": ["v"]}
    assert (message["label"], message["labels"]) == ("one", ["one", "two"])
    assert (message["body"], message["url"], message["method"]) == ('{"a":1}', URL, "POST")
    assert (message["maxRetries"], message["retryDelayExpression"]) == (3, "1000")
    assert (message["createdAt"], message["notBefore"]) == (EPOCH_MS, EPOCH_MS + 60_000)
    assert message["callback"] == "https://shop.test/back"
    assert {"queueName", "scheduleId", "flowControlKey", "rate", "parallelism"}.isdisjoint(message)


async def test_a_body_that_is_no_text_comes_as_base64(caller: Caller):
    """A body that is not UTF-8 is shown under bodyBase64."""
    message_id = await caller.publish(URL, b"\xff\x00")
    assert (await caller.ask("GET", f"/v2/messages/{message_id}")).json["bodyBase64"] == "/wA="


async def test_a_finished_message_stays_readable_for_a_minute(engine: Embedded, caller: Caller):
    """Clients publish to a fast destination and look at once; a minute later the message is unknown."""
    engine.receiver(URL)
    message_id = await caller.publish(URL)
    await engine.advance(59_999)
    assert (await caller.ask("GET", f"/v2/messages/{message_id}")).status == 200
    await engine.advance(1)
    answer = await caller.ask("GET", f"/v2/messages/{message_id}")
    assert (answer.status, answer.error) == (404, texts.message_not_found(message_id))


async def test_a_canceled_message_is_not_delivered(engine: Embedded, caller: Caller):
    """It is gone at once; CANCELED is written when it would have been due."""
    receiver = engine.receiver(URL)
    message_id = await caller.publish(URL, delay="1h")
    answer = await caller.ask("DELETE", f"/v2/messages/{message_id}")
    assert (answer.status, answer.json) == (200, {"cancelled": 1})
    assert (await caller.ask("GET", f"/v2/messages/{message_id}")).status == 404
    assert (await caller.ask("DELETE", f"/v2/messages/{message_id}")).status == 404
    assert await caller.states(message_id) == ["CREATED", "CANCEL_REQUESTED"]
    await engine.settle()
    assert receiver.received == []
    newest, *_ = await caller.logs(messageId=message_id)
    assert (newest["state"], newest["time"]) == ("CANCELED", EPOCH_MS + 3_600_000)


async def test_a_cancel_between_two_attempts_prevents_the_next(engine: Embedded, caller: Caller):
    """A message that waits for its retry can be taken back; it is no dead letter."""
    receiver = engine.receiver(URL, "500")
    message_id = await caller.publish(URL)
    await engine.advance(0)
    await caller.ask("DELETE", f"/v2/messages/{message_id}")
    await engine.settle()
    assert len(receiver.received) == 1
    assert (await caller.states(message_id))[-3:] == ["RETRY", "CANCEL_REQUESTED", "CANCELED"]
    assert await caller.dead_letters() == []


@pytest.mark.parametrize(
    ("answer", "retries", "states"),
    [
        ("200 after=5s", 3, ["ACTIVE", "CANCEL_REQUESTED", "DELIVERED"]),
        ("500 after=5s", 3, ["ACTIVE", "CANCEL_REQUESTED", "ERROR", "CANCELED"]),
        ("500 after=5s", 0, ["ACTIVE", "CANCEL_REQUESTED", "ERROR", "CANCELED"]),
    ],
)
async def test_a_cancel_during_an_attempt(engine: Embedded, caller: Caller, answer: str, retries: int, states: list):
    """It may come too late for the attempt under way, but there is no other, and no dead letter."""
    receiver = engine.receiver(URL, answer)
    message_id = await caller.publish(URL, retries=retries)
    await engine.advance(1_000)
    await caller.ask("DELETE", f"/v2/messages/{message_id}")
    await engine.settle()
    assert len(receiver.received) == 1
    assert (await caller.states(message_id))[1:] == states
    assert await caller.dead_letters() == []


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({}, []),
        ({"label": "odd"}, [0, 2, 4]),
        ({"label": ["odd", "even"]}, []),
        ({"url": f"{URL}/3"}, [0, 1, 2, 4, 5]),
        ({"path": "/hook/2", "label": "even"}, [0, 1, 3, 4, 5]),
        ({"host": "shop.test", "count": 2}, [2, 3, 4, 5]),
        ({"host": "elsewhere.test"}, [0, 1, 2, 3, 4, 5]),
        ({"fromDate": EPOCH_MS + 3, "toDate": EPOCH_MS + 4}, [0, 1, 2, 5]),
    ],
)
async def test_bulk_cancel_by_filter(engine: Embedded, caller: Caller, query: dict, left: list[int]):
    """Values of a filter are ORed, filters ANDed, dates inclusive; count bounds it, oldest first."""
    receiver = engine.receiver("https://shop.test")
    for number in range(6):
        await caller.publish(f"{URL}/{number}", b"%d" % number, label=["even", "odd"][number % 2], delay="1h")
        await engine.advance(1)
    other = Caller(engine.send, TOKENS[1])
    await other.publish(URL, b"99", delay="1h")
    answer = await caller.ask("DELETE", "/v2/messages", **query)
    await engine.settle()
    assert answer.json == {"cancelled": 6 - len(left)}
    assert [int(got.body) for got in receiver.received] == [*left, 99]


async def test_bulk_cancel_by_ids_takes_query_and_body(caller: Caller):
    """JavaScript's SDK sends ids as repeated parameters, Python's as a JSON body; unknown ones are not counted."""
    ids = [await caller.publish(URL, delay="1h") for _ in range(4)]
    by_query = await caller.ask("DELETE", "/v2/messages", messageIds=[ids[0], "msg_unknown"])
    by_body = await caller.ask("DELETE", "/v2/messages", {"messageIds": ids[1:3]})
    assert (by_query.json, by_body.json) == ({"cancelled": 1}, {"cancelled": 2})
    assert (await caller.ask("GET", f"/v2/messages/{ids[3]}")).status == 200


async def test_an_empty_id_does_not_cancel_everything(caller: Caller):
    """The Python SDK sends an empty id to ``/v2/messages/``, which is not the path that cancels all."""
    message_id = await caller.publish(URL, delay="1h")
    assert (await caller.ask("DELETE", "/v2/messages/")).status == 404
    assert (await caller.ask("GET", f"/v2/messages/{message_id}")).status == 200


async def test_cancel_all_takes_more_than_one_transaction(engine: Embedded, caller: Caller):
    """Without a count every pending message goes, however many there are."""
    items = [{"destination": URL, "headers": {"Upstash-Delay": "1h"}}] * 1_100
    await caller.ask("POST", "/v2/batch", items)
    assert (await caller.ask("DELETE", "/v2/messages")).json == {"cancelled": 1_100}


async def test_an_account_sees_its_own_messages_only(engine: Embedded, caller: Caller):
    """Another account's message can neither be read nor canceled."""
    message_id = await caller.publish(URL, delay="1h")
    other = Caller(engine.send, TOKENS[1])
    assert (await other.ask("GET", f"/v2/messages/{message_id}")).status == 404
    assert (await other.ask("DELETE", f"/v2/messages/{message_id}")).status == 404
    assert (await other.ask("DELETE", "/v2/messages")).json == {"cancelled": 0}
    assert await other.logs() == []
