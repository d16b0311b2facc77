import pytest

from qsops.clock import ManualClock
from qsops.engine import texts as own_texts
from qsops.engine.embedded import Embedded
from qsops.wire import texts
from tests.engine.caller import Caller, option_headers

URL = "https://shop.test/hook"
DAY_S = 86_400


@pytest.mark.parametrize(
    ("destination", "status", "error"),
    [
        ("ftp://shop.test", 400, texts.INVALID_SCHEME),
        ("mailto:me@shop.test", 400, texts.INVALID_SCHEME),
        ("my-group", 404, texts.url_group_not_found("my-group")),
        ("example.com", 404, texts.url_group_not_found("example.com")),
        ("https://", 400, own_texts.unusable_url("https://", "it names no host, or port 0")),
        ("http://a:0/x", 400, own_texts.unusable_url("http://a:0/x", "it names no host, or port 0")),
        ("https://a.test:99999/", 400, own_texts.unusable_url("https://a.test:99999/", "Port out of range 0-65535")),
        ("https://[::1/", 400, own_texts.unusable_url("https://[::1/", "Invalid IPv6 URL")),
        (f"{URL}/{'a' * 8_000}", 400, own_texts.unusable_url(f"{URL}/{'a' * 8_000}", "it has over 8000 characters")),
        (f"http://{'a' * 9_000}", 400, own_texts.unusable_url(f"http://{'a' * 9_000}", "it has over 8000 characters")),
        ("api%2Fllm", 410, own_texts.LLM_IS_GONE),
        ("api/llm", 410, own_texts.LLM_IS_GONE),
    ],
)
async def test_a_destination_that_cannot_work(caller: Caller, destination: str, status: int, error: str):
    """Refused at publish time, with the text of the service where it is known."""
    answer = await caller.ask("POST", f"/v2/publish/{destination}")
    assert (answer.status, answer.error) == (status, error)


@pytest.mark.parametrize(
    "destination", ["https://shop.test/a b", "https://shop.test/a\r\nX-Evil: 1", "https://shop.test/\x00"]
)
async def test_a_destination_that_would_break_the_request(caller: Caller, destination: str):
    """A batch may carry any text as a destination; what would end the request line is refused."""
    (answer,) = (await caller.ask("POST", "/v2/batch", [{"destination": destination}])).json
    assert answer["error"] == own_texts.unusable_url(
        destination, "it holds a space or an unprintable character, write it percent-encoded"
    )


@pytest.mark.parametrize(
    ("options", "status", "named"),
    [
        ({"delay": "soon"}, 400, "soon"),
        ({"delay": "10"}, 400, "'10'"),
        ({"not_before": "tomorrow"}, 400, "tomorrow"),
        ({"retries": "-1"}, 400, "-1"),
        ({"retries": "many"}, 400, "many"),
        ({"timeout": "1y"}, 400, "1y"),
        ({"method": "TELEPORT"}, 400, "TELEPORT"),
        ({"retry_delay": "pow(2"}, 400, "pow(2"),
        ({"retry_delay": "__import__('os')"}, 400, "__import__"),
        ({"callback": "nowhere"}, 400, "nowhere"),
        ({"callback": URL, "callback_retry_delay": "1 +"}, 400, "1 +"),
        ({"failure_callback": "https://"}, 400, "Upstash-Failure-Callback"),
        ({"callback": URL, "callback_delay": "10s"}, 400, own_texts.DELAYED_CALLBACK),
        ({"callback": URL, "callback_retries": 1000}, 412, texts.quota_exceeded("maxRetries", 999)),
        ({"failure_callback": URL, "failure_callback_timeout": "3h"}, 412, texts.quota_exceeded("maxTimeout", 7_200)),
        ({f"forward_x_{number}": "y" for number in range(101)}, 431, own_texts.too_many_headers(101, 100)),
        ({"callback": URL, "callback_forward_x": "y" * 32_768}, 431, own_texts.head_too_large(32_768)),
        ({"deduplication_id": "a:b"}, 400, texts.DEDUPLICATION_ID_HAS_COLON),
        ({"redact_fields": "everything"}, 400, "everything"),
        ({"flow_control_key": "k"}, 400, "Upstash-Flow-Control-Value"),
        ({"flow_control_key": "k", "flow_control_value": "rate=none"}, 400, "rate=none"),
        ({"queue_name": "a b"}, 400, "a b"),
        ({"timeout": "0s"}, 400, texts.invalid_header("Upstash-Timeout", "0s", "it is at least 1s")),
        ({"callback_retries": "x"}, 400, "Upstash-Callback-Retries: 'x'"),
        ({"failure_callback_timeout": "x"}, 400, "Upstash-Failure-Callback-Timeout: 'x'"),
        ({"callback_retry_delay": "x("}, 400, "Upstash-Callback-Retry-Delay: 'x('"),
        ({"cron": "* * * * *"}, 400, texts.CRON_ON_PUBLISH),
        ({"delay": "366d"}, 412, texts.quota_exceeded("maxDelay", 365 * DAY_S)),
        ({"retries": "1000"}, 412, texts.quota_exceeded("maxRetries", 999)),
        ({"timeout": "3h"}, 412, texts.quota_exceeded("maxTimeout", 7_200)),
    ],
)
async def test_an_option_that_cannot_be_kept(caller: Caller, options: dict, status: int, named: str):
    """It is answered with its value or the limit, and nothing is published."""
    answer = await caller.ask("POST", f"/v2/publish/{URL}", b"", option_headers(**options))
    assert answer.status == status
    assert named in answer.error
    assert await caller.logs() == []


async def test_the_free_plan_has_its_own_limits(clock: ManualClock):
    """Seven days of delay, five retries, a megabyte."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    for options, body, status, error in (
        ({"delay": "7d"}, b"", 200, None),
        ({"delay": "7d1s"}, b"", 412, texts.quota_exceeded("maxDelay", 604_800)),
        ({"retries": 6}, b"", 412, texts.quota_exceeded("maxRetries", 5)),
        ({}, b"x" * (1024 * 1024 + 1), 413, texts.quota_exceeded("maxMessageSize", 1024 * 1024)),
    ):
        answer = await caller.ask("POST", f"/v2/publish/{URL}", body, option_headers(**options))
        assert (answer.status, answer.json.get("error")) == (status, error)
    await engine.aclose()


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/v2/workflows/logs", "/v2/workflows"),
        ("DELETE", "/v2/workflows/runs/wfr_1", "/v2/workflows"),
    ],
)
async def test_what_is_not_served_yet_says_so(caller: Caller, method: str, path: str, named: str):
    """501, naming the endpoint."""
    answer = await caller.ask(method, path)
    assert (answer.status, answer.error) == (501, texts.not_served(f"{method} {named}"))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v3/keys", 404),
        ("GET", "/v2/keysmith", 404),
        ("PUT", "/v2/keys", 405),
        ("GET", "/v2/batch", 405),
    ],
)
async def test_what_does_not_exist(caller: Caller, method: str, path: str, status: int):
    """404 for a path that QStash does not have, 405 for a method; both as JSON."""
    answer = await caller.ask(method, path)
    assert (answer.status, answer.error) == (status, own_texts.no_such_endpoint(method, path))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b'{"destination": "https://shop.test"}', b"[" * 100_000, b"\xff", b'"text"']
)
async def test_a_batch_that_is_no_array(caller: Caller, body: bytes):
    """400, whatever it is instead."""
    answer = await caller.ask("POST", "/v2/batch", body)
    assert answer.status == 400
    assert answer.error.startswith(texts.invalid_body(""))


@pytest.mark.parametrize(
    "item",
    [
        1,
        None,
        "https://shop.test",
        {},
        {"destination": 5},
        {"destination": URL, "body": {"a": 1}},
        {"destination": URL, "headers": 3},
        {"destination": "api/llm"},
    ],
)
async def test_a_batch_item_that_is_none(caller: Caller, item):
    """It is answered in its place."""
    good = {"destination": URL}
    first, second = (await caller.ask("POST", "/v2/batch", [item, good])).json
    assert first["error"]
    assert second["messageId"]


async def test_an_empty_batch_is_an_empty_answer(caller: Caller):
    """Nothing in, nothing out."""
    assert (await caller.ask("POST", "/v2/batch", [])).json == []


@pytest.mark.parametrize("query", [{"labeel": "x"}, {"count": 501}, {"count": 0}, {"fromDate": "x"}])
async def test_a_bulk_cancel_that_cannot_be_read_touches_nothing(caller: Caller, query: dict):
    """An unknown parameter or a bad value of a bulk call: 400, and every message stays."""
    message_id = await caller.publish(URL, delay="1h")
    assert (await caller.ask("DELETE", "/v2/messages", **query)).status == 400
    assert (await caller.ask("GET", f"/v2/messages/{message_id}")).status == 200
