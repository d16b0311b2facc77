import json

import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine import texts as own_texts
from qsops.engine.embedded import Embedded
from qsops.wire import texts
from qsops.wire.http import header
from tests.engine.caller import TOKENS, Caller, option_headers

A, B, C = (f"https://{name}.test/hook" for name in "abc")


async def add(caller: Caller, *endpoints: dict, to: str = "shops") -> None:
    answer = await caller.ask("POST", f"/v2/topics/{to}/endpoints", {"endpoints": list(endpoints)})
    assert answer.status == 200, answer


async def lend(caller: Caller, headers: dict) -> None:
    answer = await caller.ask("PATCH", "/v2/topics/shops", {"headers": headers})
    assert answer.status == 200, answer


async def endpoints(caller: Caller) -> list[dict]:
    return (await caller.ask("GET", "/v2/topics/shops")).json["endpoints"]


async def test_the_first_endpoint_makes_the_group(engine: Embedded, caller: Caller):
    """A group is read as it was set up, its endpoints in the order in which they came, without further fields."""
    await add(caller, {"url": A, "name": "first"}, {"url": B})
    await engine.advance(5_000)
    await add(caller, {"url": C, "name": "third"})
    group = (await caller.ask("GET", "/v2/topics/shops")).json
    assert group == {
        "name": "shops",
        "createdAt": EPOCH_MS,
        "updatedAt": EPOCH_MS + 5_000,
        "endpoints": [{"url": A, "name": "first"}, {"url": B}, {"url": C, "name": "third"}],
    }
    assert (await caller.ask("GET", "/v2/topics")).json == [group]


async def test_an_endpoint_that_is_there_takes_the_new_name(caller: Caller):
    """Its URL says which one it is; without a name it keeps the one that it has."""
    await add(caller, {"url": A, "name": "old"}, {"url": B, "name": "other"})
    await add(caller, {"url": A, "name": "new"}, {"url": B})
    assert await endpoints(caller) == [{"url": A, "name": "new"}, {"url": B, "name": "other"}]


async def test_endpoints_are_removed_by_url_or_name(caller: Caller):
    """Either will do, and what is not in the group is passed over."""
    await add(caller, {"url": A, "name": "first"}, {"url": B}, {"url": C})
    gone = {"endpoints": [{"name": "first"}, {"url": B}, {"name": "never"}]}
    assert (await caller.ask("DELETE", "/v2/topics/shops/endpoints", gone)).status == 200
    assert await endpoints(caller) == [{"url": C}]


async def test_with_its_last_endpoint_the_group_goes(caller: Caller):
    """A group that nobody listens to is none: publishing to it must not pass for a success."""
    await add(caller, {"url": A})
    await caller.ask("DELETE", "/v2/topics/shops/endpoints", {"endpoints": [{"url": A}]})
    for method, path in (("GET", "/v2/topics/shops"), ("POST", "/v2/publish/shops")):
        answer = await caller.ask(method, path)
        assert (answer.status, answer.error) == (404, texts.url_group_not_found("shops"))


async def test_deleting_is_harmless(engine: Embedded, caller: Caller):
    """A group that is not there is deleted with success, and one that is leaves the messages under way alone."""
    assert (await caller.ask("DELETE", "/v2/topics/shops")).status == 200
    receiver = engine.receiver(A)
    await add(caller, {"url": A})
    await caller.ask("POST", "/v2/publish/shops", b"sent")
    assert (await caller.ask("DELETE", "/v2/topics/shops")).status == 200
    await engine.settle()
    assert [got.body for got in receiver.received] == [b"sent"]


async def test_each_endpoint_gets_a_message_of_its_own(engine: Embedded, caller: Caller):
    """The answer has the id and URL of each; one that fails is tried again, and buried, by itself."""
    receivers = [engine.receiver(A, "200"), engine.receiver(B, "500")]
    await add(caller, {"url": A, "name": "first"}, {"url": B})
    answer = await caller.ask("POST", "/v2/publish/shops", b"news", option_headers(retries=1, retry_delay="1000"))
    await engine.settle()
    assert [item["url"] for item in answer.json] == [A, B]
    assert [len(receiver.received) for receiver in receivers] == [1, 2]
    (got,) = receivers[0].received
    assert header(got.headers, "Upstash-Message-Id") == answer.json[0]["messageId"]
    assert header(got.headers, "Upstash-Topic-Name") == "shops"
    (letter,) = await caller.dead_letters(topicName="shops")
    assert (letter["messageId"], letter["url"]) == (answer.json[1]["messageId"], B)
    entries = await caller.logs(topicName="shops", state="DELIVERED")
    assert [(entry["topicName"], entry["endpointName"]) for entry in entries] == [("shops", "first")]


async def test_a_retried_letter_stays_of_its_group(engine: Embedded, caller: Caller):
    """It goes to the endpoint that failed and to no other, under the name of the group."""
    others, receiver = engine.receiver(A, "200"), engine.receiver(B, "500,200")
    await add(caller, {"url": A}, {"url": B, "name": "second"})
    await caller.ask("POST", "/v2/publish/shops", b"news", option_headers(retries=0))
    await engine.settle()
    await caller.ask("POST", "/v2/dlq/retry", topicName="shops")
    await engine.settle()
    assert [header(got.headers, "Upstash-Topic-Name") for got in receiver.received] == ["shops", "shops"]
    assert len(others.received) == 1
    (newest, *_) = await caller.logs(state="DELIVERED")
    assert (newest["topicName"], newest["endpointName"]) == ("shops", "second")


async def test_callbacks_tell_of_each_endpoint(engine: Embedded, caller: Caller):
    """A callback is sent for each message of the group, and names group and endpoint."""
    engine.receiver(A)
    engine.receiver(B)
    told = engine.receiver(C)
    await add(caller, {"url": A, "name": "first"}, {"url": B, "name": "second"})
    await caller.ask("POST", "/v2/publish/shops", b"", option_headers(callback=C))
    await engine.settle()
    reports = [json.loads(got.body) for got in told.received]
    assert [(report["topicName"], report["endpointName"], report["url"]) for report in reports] == [
        ("shops", "first", A),
        ("shops", "second", B),
    ]


async def test_a_batch_answers_a_group_with_a_list(engine: Embedded, caller: Caller):
    """In its place stands one receipt for each endpoint; a group that is not there is an error in its own place."""
    receivers = [engine.receiver(A), engine.receiver(B)]
    await add(caller, {"url": A}, {"url": B})
    items = [{"destination": A}, {"destination": "shops", "body": "to all"}, {"destination": "nobody"}]
    answer = await caller.ask("POST", "/v2/batch", items)
    await engine.settle()
    assert "messageId" in answer.json[0]
    assert [item["url"] for item in answer.json[1]] == [A, B]
    assert answer.json[2] == {"error": texts.url_group_not_found("nobody")}
    assert [[got.body for got in receiver.received] for receiver in receivers] == [[b"", b"to all"], [b"to all"]]


async def test_a_group_can_be_enqueued(engine: Embedded, caller: Caller):
    """Each endpoint's message stands in the queue by itself, in the order of the endpoints."""
    receivers = [engine.receiver(A, "200 after=5s"), engine.receiver(B, "200 after=5s")]
    await add(caller, {"url": A}, {"url": B})
    answer = await caller.ask("POST", "/v2/enqueue/line/shops", b"next")
    await engine.settle()
    assert [item["url"] for item in answer.json] == [A, B]
    assert [[got.at_ms - EPOCH_MS for got in receiver.received] for receiver in receivers] == [[0], [5_000]]


async def test_a_group_lends_its_options(engine: Embedded, caller: Caller):
    """Default headers hold for each publish to the group, alone or in a batch, and what a publish says goes first."""
    receiver = engine.receiver(A)
    await add(caller, {"url": A})
    await lend(caller, {"Upstash-Method": "PUT", "Upstash-Retries": "1", "Upstash-Header-Forward": ["true"]})
    await caller.ask("POST", "/v2/publish/shops", b"webhook", {"X-Shop": "7"})
    await caller.ask("POST", "/v2/publish/shops?upstash-method=PATCH", b"")
    await caller.ask("POST", "/v2/batch", [{"destination": "shops", "headers": {"upstash-method": "DELETE"}}])
    await caller.ask("POST", f"/v2/publish/{A}", b"")
    await engine.settle()
    assert [got.method for got in receiver.received] == ["PUT", "PATCH", "DELETE", "POST"]
    assert header(receiver.received[0].headers, "X-Shop") == "7"
    assert header(receiver.received[0].headers, "Authorization") is None
    retries = [entry["maxRetries"] for entry in reversed(await caller.logs(state="DELIVERED"))]
    assert retries == [1, 1, 1, 3]


async def test_default_headers_replace_those_before(engine: Embedded, caller: Caller):
    """The group lends what was set last and nothing else, and shows its endpoints as before."""
    receiver = engine.receiver(A)
    await add(caller, {"url": A})
    await lend(caller, {"Upstash-Method": "PUT"})
    await lend(caller, {"Upstash-Forward-X-Key": "k"})
    await caller.ask("POST", "/v2/publish/shops")
    await engine.settle()
    assert [(got.method, header(got.headers, "X-Key")) for got in receiver.received] == [("POST", "k")]
    assert await endpoints(caller) == [{"url": A}]


async def test_a_repeat_reaches_whom_the_first_did_not(engine: Embedded, caller: Caller):
    """Deduplication is by endpoint: one that was added in between gets the message, the others do not get it twice."""
    receivers = [engine.receiver(A), engine.receiver(B)]
    await add(caller, {"url": A})
    once = option_headers(deduplication_id="event-1")
    first = await caller.ask("POST", "/v2/publish/shops", b"", once)
    repeat = await caller.ask("POST", "/v2/publish/shops", b"", once)
    assert (repeat.status, repeat.json) == (202, [{**first.json[0], "deduplicated": True}])
    await add(caller, {"url": B})
    later = await caller.ask("POST", "/v2/publish/shops", b"", once)
    await engine.settle()
    assert (later.status, [item.get("deduplicated", False) for item in later.json]) == (200, [True, False])
    assert [len(receiver.received) for receiver in receivers] == [1, 1]


async def test_equal_content_for_two_endpoints_is_no_repeat(engine: Embedded, caller: Caller):
    """By content, too, each endpoint has its own say."""
    receivers = [engine.receiver(A), engine.receiver(B)]
    await add(caller, {"url": A}, {"url": B})
    for _ in range(2):
        await caller.ask("POST", "/v2/publish/shops", b"same", option_headers(content_based_deduplication="True"))
    await engine.settle()
    assert [len(receiver.received) for receiver in receivers] == [1, 1]


async def test_a_cancel_by_group_takes_all_endpoints(engine: Embedded, caller: Caller):
    """The messages of a group are found by its name, and those to the same URLs beside it are not."""
    receivers = [engine.receiver(A), engine.receiver(B)]
    await add(caller, {"url": A}, {"url": B})
    await caller.ask("POST", "/v2/publish/shops", b"", option_headers(delay="1m"))
    await caller.publish(A, b"kept", delay="1m")
    assert (await caller.ask("DELETE", "/v2/messages", topicName="shops")).json == {"cancelled": 2}
    await engine.settle()
    assert [len(receiver.received) for receiver in receivers] == [1, 0]


@pytest.mark.parametrize(("quota", "limit", "size"), [("free", 1, 100), ("payg", 100, 100)])
async def test_the_plan_bounds_groups_and_endpoints(clock: ManualClock, quota: str, limit: int, size: int):
    """One group or endpoint too many is refused with the limit, and nothing of that request is kept."""
    engine = Embedded(clock=clock, quota=quota)
    caller = Caller(engine.send)
    for number in range(limit):
        await add(caller, {"url": A}, to=f"group-{number}")
    refused = await caller.ask("POST", "/v2/topics/more/endpoints", {"endpoints": [{"url": A}]})
    assert (refused.status, refused.error) == (412, texts.quota_exceeded("maxTopics", limit))
    many = [{"url": f"https://{number}.test"} for number in range(size)]
    refused = await caller.ask("POST", "/v2/topics/group-0/endpoints", {"endpoints": many})
    assert (refused.status, refused.error) == (412, texts.quota_exceeded("maxEndpointsPerTopic", size))
    assert (await caller.ask("GET", "/v2/topics/group-0")).json["endpoints"] == [{"url": A}]
    await add(caller, *many[1:], to="group-0")
    await engine.aclose()


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("POST", "/v2/topics/a%20b/endpoints", {"endpoints": [{"url": A}]}, "'a b'"),
        ("POST", "/v2/topics/shops/endpoints", {"endpoints": []}, "endpoints"),
        ("POST", "/v2/topics/shops/endpoints", {"endpoints": [{"name": "x"}]}, "url"),
        ("POST", "/v2/topics/shops/endpoints", {"endpoints": [{"url": A}, {"url": "ftp://x.test"}]}, "ftp://x.test"),
        ("POST", "/v2/topics/shops/endpoints", {"endpoints": [{"url": "https://"}]}, "'https://': it names no host"),
        ("POST", "/v2/topics/shops/endpoints", {"endpoints": [{"url": f"http://{'a' * 9_000}"}]}, "8000 characters"),
        ("POST", "/v2/topics/shops/endpoints", b"{", "not JSON"),
        ("POST", "/v2/topics/shops/endpoints?dry=true", {"endpoints": [{"url": A}]}, "dry"),
        ("DELETE", "/v2/topics/shops/endpoints", {"endpoints": [{}]}, "url"),
        ("PATCH", "/v2/topics/shops", {"headers": {"Upstash-Delay": "soon"}}, "soon"),
        ("PATCH", "/v2/topics/shops", {"headers": {"Upstash-Retry-Delay": "x("}}, "Upstash-Retry-Delay: 'x('"),
        ("PATCH", "/v2/topics/shops", {"header": {}}, "headers"),
        ("DELETE", "/v2/topics/shops?name=x", b"", "name"),
        ("GET", "/v2/topics?cursor=1", b"", "cursor"),
    ],
)
async def test_what_cannot_be_read_changes_nothing(
    caller: Caller, method: str, path: str, body: bytes | dict, named: str
):
    """400 that names the field, name or option, and the group stays as it is."""
    await add(caller, {"url": B})
    answer = await caller.ask(method, path, body)
    assert answer.status == 400
    assert named in answer.error
    assert await endpoints(caller) == [{"url": B}]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v2/topics/other", b""),
        ("PATCH", "/v2/topics/other", {"headers": {}}),
        ("DELETE", "/v2/topics/other/endpoints", {"endpoints": [{"url": A}]}),
    ],
)
async def test_a_group_that_is_not_there(caller: Caller, method: str, path: str, body: bytes | dict):
    """404 with its name: a group cannot be without endpoints, so none is made on the way."""
    answer = await caller.ask(method, path, body)
    assert (answer.status, answer.error) == (404, texts.url_group_not_found("other"))
    assert (await caller.ask("GET", "/v2/topics")).json == []


async def test_one_request_makes_a_bounded_number_of_messages(caller: Caller):
    """Groups make much of little: more than one commit may hold is refused as a whole."""
    await add(caller, *({"url": f"https://{number}.test"} for number in range(100)))
    answer = await caller.ask("POST", "/v2/batch", [{"destination": "shops"}] * 201)
    assert (answer.status, answer.error) == (413, own_texts.fan_out_too_wide(20_100, 20_000))
    assert await caller.logs() == []


async def test_a_group_belongs_to_its_account(engine: Embedded, caller: Caller):
    """Another account neither sees it nor publishes to it, and may have one of the same name."""
    other = Caller(engine.send, TOKENS[1])
    await add(caller, {"url": A})
    assert (await other.ask("GET", "/v2/topics")).json == []
    assert (await other.ask("POST", "/v2/publish/shops")).status == 404
    await add(other, {"url": B})
    assert await endpoints(caller) == [{"url": A}]


async def test_a_group_survives_a_restart(tmp_path, clock: ManualClock):
    """Endpoints and default headers are there again, and publishes go to them."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    await add(Caller(first.send), {"url": A})
    await lend(Caller(first.send), {"Upstash-Method": "PUT"})
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver = second.receiver(A)
    await Caller(second.send).ask("POST", "/v2/publish/shops")
    await second.settle()
    assert [got.method for got in receiver.received] == ["PUT"]
    await second.aclose()
