import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine.embedded import Embedded
from qsops.wire import texts
from qsops.wire.http import header
from tests.engine.caller import TOKENS, Caller, out_of_range

URL = "https://shop.test/hook"


async def bury(engine: Embedded, caller: Caller, count: int, **options) -> list[str]:
    """Fail ``count`` messages a second apart; their DLQ ids, oldest first."""
    engine.receiver(URL, "500 x-why=full body=no")
    for number in range(count):
        await caller.publish(f"{URL}/{number}", b"%d" % number, retries=0, label=["even", "odd"][number % 2], **options)
        await engine.advance(1_000)
    return [letter["dlqId"] for letter in await caller.dead_letters(order="earliestFirst", count=max(count, 1))]


async def test_a_dead_letter_tells_what_killed_it(engine: Embedded, caller: Caller):
    """The message as published, with the last answer's status, headers and body, in the list and by itself."""
    (dlq_id,) = await bury(engine, caller, 1)
    (listed,) = await caller.dead_letters()
    assert dlq_id == f"{EPOCH_MS}-1"
    assert (listed["url"], listed["body"], listed["label"]) == (f"{URL}/0", "0", "even")
    assert (listed["responseStatus"], listed["responseBody"]) == (500, "no")
    assert listed["responseHeader"] == {"x-why": ["full"]}
    assert (await caller.ask("GET", f"/v2/dlq/{dlq_id}")).json == listed


async def test_without_an_answer_the_status_is_zero(engine: Embedded, caller: Caller):
    """The Python SDK needs a responseStatus, also where there was no response."""
    engine.receiver(URL, "drop")
    await caller.publish(URL, retries=0)
    await engine.settle()
    assert [letter["responseStatus"] for letter in await caller.dead_letters()] == [0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"order": "earliestFirst"}, [0, 1, 2, 3, 4, 5]),
        ({"order": "latestFirst"}, [5, 4, 3, 2, 1, 0]),
        ({"label": "odd"}, [5, 3, 1]),
        ({"url": [f"{URL}/1", f"{URL}/2"]}, [2, 1]),
        ({"responseStatus": 500, "label": "even"}, [4, 2, 0]),
        ({"responseStatus": 404}, []),
        ({"fromDate": EPOCH_MS + 1_000, "toDate": EPOCH_MS + 2_000}, [2, 1]),
        ({"callerIp": "127.0.0.1", "count": 2}, [5, 4]),
        ({"dlqIds": f"{EPOCH_MS}-1,nonsense,{EPOCH_MS}-2"}, [0]),
    ],
)
async def test_listing_by_filter(engine: Embedded, caller: Caller, query: dict, found: list[int]):
    """Values of a filter are ORed, filters ANDed, dates inclusive; newest first unless asked otherwise."""
    await bury(engine, caller, 6)
    assert [int(letter["body"]) for letter in await caller.dead_letters(**query)] == found


async def test_pages_are_stable_while_letters_come_and_go(engine: Embedded, caller: Caller):
    """A cursor skips nothing and repeats nothing when entries are deleted, and new ones appear, between two pages."""
    ids = await bury(engine, caller, 6)
    first = (await caller.ask("GET", "/v2/dlq", count=2)).json
    await caller.ask("DELETE", f"/v2/dlq/{ids[5]}")
    await caller.ask("DELETE", f"/v2/dlq/{ids[3]}")
    await bury(engine, caller, 1)
    second = (await caller.ask("GET", "/v2/dlq", count=2, cursor=first["cursor"])).json
    third = (await caller.ask("GET", "/v2/dlq", count=2, cursor=second["cursor"])).json
    pages = [[letter["dlqId"] for letter in page["messages"]] for page in (first, second, third)]
    assert pages == [[ids[5], ids[4]], [ids[2], ids[1]], [ids[0]]]
    assert "cursor" not in third


async def test_a_deleted_letter_is_gone(engine: Embedded, caller: Caller):
    """Deleting answers 200 once; afterwards the id is unknown to every verb."""
    (dlq_id,) = await bury(engine, caller, 1)
    assert (await caller.ask("DELETE", f"/v2/dlq/{dlq_id}")).status == 200
    for method, path in (("GET", "/v2/dlq/"), ("DELETE", "/v2/dlq/"), ("POST", "/v2/dlq/retry/")):
        answer = await caller.ask(method, f"{path}{dlq_id}")
        assert (answer.status, answer.error) == (404, texts.dead_letter_not_found(dlq_id))


async def test_an_id_is_never_given_twice(engine: Embedded, caller: Caller):
    """Whoever still holds the id of a deleted letter must not get hold of another one by it."""
    (first,) = await bury(engine, caller, 1)
    await caller.ask("DELETE", f"/v2/dlq/{first}")
    (second,) = await bury(engine, caller, 1)
    assert (first.split("-")[1], second.split("-")[1]) == ("1", "2")


async def test_a_retried_letter_becomes_a_new_message(engine: Embedded, caller: Caller):
    """New id, same body, headers and options; the letter is gone at once."""
    (dlq_id,) = await bury(engine, caller, 1, forward_x_key="k", retry_delay="5000")
    receiver = engine.receiver(URL, "200")
    answer = await caller.ask("POST", f"/v2/dlq/retry/{dlq_id}")
    assert answer.status == 201
    assert (await caller.ask("DELETE", f"/v2/dlq/{dlq_id}")).status == 404
    message = (await caller.ask("GET", f"/v2/messages/{answer.json['messageId']}")).json
    assert (message["maxRetries"], message["retryDelayExpression"], message["label"]) == (0, "5000", "even")
    await engine.settle()
    (got,) = receiver.received
    assert (got.body, header(got.headers, "X-Key")) == (b"0", "k")
    assert header(got.headers, "Upstash-Retried") == "0"


async def test_option_headers_of_the_retry_win(engine: Embedded, caller: Caller):
    """Whatever option the retry names takes the place of the stored one; the rest stays."""
    (dlq_id,) = await bury(engine, caller, 1, retry_delay="5000")
    receiver = engine.receiver(URL, "500,200")
    headers = {"Upstash-Retries": "2", "Upstash-Delay": "1m", "Upstash-Label": "again"}
    answer = await caller.ask("POST", f"/v2/dlq/retry/{dlq_id}", b"", headers)
    start = engine.clock.now_ms()
    await engine.settle()
    assert [got.at_ms - start for got in receiver.received] == [60_000, 65_000]
    assert (await caller.logs(messageId=answer.json["messageId"]))[0]["label"] == "again"


async def test_a_bad_override_changes_nothing(engine: Embedded, caller: Caller):
    """An option that cannot be read is answered 400, and the letter stays."""
    (dlq_id,) = await bury(engine, caller, 1)
    answer = await caller.ask("POST", f"/v2/dlq/retry/{dlq_id}", b"", {"Upstash-Retry-Delay": "1 +"})
    assert answer.status == 400
    assert "Upstash-Retry-Delay" in answer.error
    assert [letter["dlqId"] for letter in await caller.dead_letters()] == [dlq_id]


@pytest.mark.parametrize("path", ["/v2/dlq/retry/{}", "/v2/dlq/retry"])
async def test_options_of_a_retry_may_be_parameters(engine: Embedded, caller: Caller, path: str):
    """As elsewhere an option header may be a parameter, which goes behind the header of its name."""
    (dlq_id,) = await bury(engine, caller, 1)
    query = "?upstash-retries=2&upstash-label=again&upstash-forward-zed=1&upstash-delay=1m"
    answer = await caller.ask("POST", path.format(dlq_id) + query, b"", {"Upstash-Retries": "1"})
    assert answer.status == 201
    (told,) = answer.json.get("responses", [answer.json])
    message = (await caller.ask("GET", f"/v2/messages/{told['messageId']}")).json
    assert (message["maxRetries"], message["label"], message["header"]) == (1, "again", {"Zed": ["1"]})
    assert message["notBefore"] == engine.clock.now_ms() + 60_000


@pytest.mark.parametrize("path", ["/v2/dlq/retry/{}", "/v2/dlq/retry"])
@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("upstash-retries=0&foo=1", texts.unknown_parameter("foo")),
        ("upstash-retrys=0", texts.unknown_parameter("upstash-retrys")),
        ("upstash-retries=", texts.invalid_parameter("upstash-retries", "", "it has no value")),
        ("upstash-retries=x", texts.invalid_header("Upstash-Retries", "x", "it is a whole number, 0 or more")),
    ],
)
async def test_a_parameter_that_a_retry_cannot_follow_touches_nothing(
    engine: Embedded, caller: Caller, path: str, query: str, error: str
):
    """What is unknown, empty or unreadable is refused, whether one letter is retried or all."""
    (dlq_id,) = await bury(engine, caller, 1)
    answer = await caller.ask("POST", f"{path.format(dlq_id)}?{query}")
    assert (answer.status, answer.error) == (400, error)
    assert [letter["dlqId"] for letter in await caller.dead_letters()] == [dlq_id]


async def test_bulk_delete(engine: Embedded, caller: Caller):
    """By ids in body or query, by filter, and page by page with a cursor that is absent at the end."""
    ids = await bury(engine, caller, 6)
    assert (await caller.ask("DELETE", "/v2/dlq", {"dlqIds": [ids[0], "1-999"]})).json == {"deleted": 1}
    assert (await caller.ask("DELETE", "/v2/dlq", dlqIds=[ids[1]])).json == {"deleted": 1}
    page = (await caller.ask("DELETE", "/v2/dlq", label="odd", count=1)).json
    assert page["deleted"] == 1
    assert (await caller.ask("DELETE", "/v2/dlq", label="odd", cursor=page["cursor"])).json == {"deleted": 1}
    assert [letter["dlqId"] for letter in await caller.dead_letters()] == [ids[4], ids[2]]


async def test_bulk_retry(engine: Embedded, caller: Caller):
    """Every match becomes a new message and leaves the DLQ, with the overriding headers."""
    ids = await bury(engine, caller, 6)
    receiver = engine.receiver(URL, "200")
    once = {"Upstash-Retries": "1"}
    answer = await caller.ask("POST", "/v2/dlq/retry", b"", once, label="odd", order="earliestFirst")
    assert answer.status == 201
    assert len({item["messageId"] for item in answer.json["responses"]}) == 3
    assert answer.json.get("cursor", "") == ""
    await caller.ask("POST", "/v2/dlq/retry", {"dlqIds": [ids[0]]})
    await engine.settle()
    assert [got.body for got in receiver.received] == [b"1", b"3", b"5", b"0"]
    assert [letter["dlqId"] for letter in await caller.dead_letters()] == [ids[4], ids[2]]


async def test_bulk_retry_of_an_unknown_id_touches_nothing(engine: Embedded, caller: Caller):
    """One unknown id among those given: 404, and none of the others is retried."""
    (dlq_id,) = await bury(engine, caller, 1)
    answer = await caller.ask("POST", "/v2/dlq/retry", {"dlqIds": [dlq_id, "1-999"]})
    assert (answer.status, answer.error) == (404, texts.dead_letter_not_found("1-999"))
    assert len(await caller.dead_letters()) == 1


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/v2/dlq"), ("POST", "/v2/dlq/retry")])
async def test_a_misspelt_filter_touches_nothing(engine: Embedded, caller: Caller, method: str, path: str):
    """An unknown parameter of a bulk call is refused: a typo must not select everything."""
    await bury(engine, caller, 2)
    answer = await caller.ask(method, path, labeel="odd")
    assert (answer.status, answer.error) == (400, texts.unknown_parameter("labeel"))
    assert len(await caller.dead_letters()) == 2


async def test_large_letters_are_retried_in_portions(engine: Embedded, caller: Caller):
    """Forty megabytes of dead letters do not have to be in memory at once, and all of them come back."""
    engine.receiver(URL, "500")
    for number in range(5):
        await caller.publish(URL, bytes([number]) * 8 * 1024 * 1024, retries=0)
    await engine.settle()
    receiver = engine.receiver(URL, "200")
    answer = await caller.ask("POST", "/v2/dlq/retry", order="earliestFirst")
    assert len(answer.json["responses"]) == 5
    await engine.settle()
    assert [got.body[0] for got in receiver.received] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [0, 101])
async def test_a_page_has_a_limit(caller: Caller, count: int):
    """At most a hundred dead letters a page."""
    answer = await caller.ask("GET", "/v2/dlq", count=count)
    assert (answer.status, answer.error) == (400, out_of_range(count, 100))


async def test_an_account_sees_its_own_letters_only(engine: Embedded, caller: Caller):
    """Another account's letter can be neither read, deleted nor retried."""
    (dlq_id,) = await bury(engine, caller, 1)
    other = Caller(engine.send, TOKENS[1])
    assert await other.dead_letters() == []
    assert (await other.ask("DELETE", f"/v2/dlq/{dlq_id}")).status == 404
    assert (await other.ask("POST", f"/v2/dlq/retry/{dlq_id}")).status == 404
    assert (await other.ask("DELETE", "/v2/dlq")).json == {"deleted": 0}


async def test_a_retry_that_counts_as_a_repeat_keeps_its_letter(engine: Embedded, caller: Caller):
    """Under one deduplication id only one of two letters is sent: the other must not be lost with it."""
    ids = await bury(engine, caller, 2)
    answer = await caller.ask("POST", "/v2/dlq/retry", b"", {"Upstash-Deduplication-Id": "once"}, dlqIds=ids)
    assert answer.status == 201
    assert len({one["messageId"] for one in answer.json["responses"]}) == 1
    assert len(await caller.dead_letters()) == 1


async def test_parts_of_two_ids_make_no_third(engine: Embedded, caller: Caller):
    """The time of one letter and the number of another name none, also in a bulk call."""
    first, second = [letter.split("-") for letter in await bury(engine, caller, 2)]
    mixed = [f"{first[0]}-{second[1]}", f"{second[0]}-{first[1]}"]
    assert (await caller.ask("DELETE", "/v2/dlq", {"dlqIds": mixed})).json == {"deleted": 0}
    assert len(await caller.dead_letters()) == 2


async def test_a_letter_over_the_plan_can_be_retried(clock: ManualClock):
    """A callback quotes its message and is larger than it: once dead it must not be stuck for its size."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    engine.receiver(URL)
    back = engine.receiver("https://shop.test/back", "500,200")
    await caller.publish(URL, b"x" * 1_000_000, callback="https://shop.test/back", retries=0)
    await engine.settle()
    (letter,) = await caller.dead_letters()
    assert (await caller.ask("POST", f"/v2/dlq/retry/{letter['dlqId']}")).status == 201
    await engine.settle()
    assert back.received[0].body == back.received[1].body
    await engine.aclose()


async def test_bodies_are_shown_as_far_as_is_asked(engine: Embedded, caller: Caller):
    """The vendor's MCP server asks for none of them; an entry that is read alone is whole."""
    engine.receiver("https://dead.test", "500 body=answer")
    await caller.publish("https://dead.test", b"12345", retries=0)
    await engine.settle()
    (whole,) = await caller.dead_letters()
    assert (whole["body"], whole["responseBody"]) == ("12345", "answer")
    (cut,) = await caller.dead_letters(trimBody=2)
    assert (cut["body"], cut["responseBody"]) == ("12", "an")
    (bare,) = await caller.dead_letters(trimBody=0)
    assert bare.keys().isdisjoint({"body", "responseBody"})
