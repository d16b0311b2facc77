import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine import texts as own_texts
from qsops.engine.embedded import Embedded
from qsops.wire import texts
from qsops.wire.http import header
from tests.engine.caller import TOKENS, Caller, option_headers

URL = "https://shop.test/hook"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


async def test_a_schedule_shows_what_it_will_send(caller: Caller):
    """Every option is read back, the headers of its destination alone, the cron trimmed, absent what is not set."""
    headers = {
        "Upstash-Cron": " CRON_TZ=Europe/Berlin 0 12 * * *  ",
        "Upstash-Schedule-Id": "noon",
        "Content-Type": "text/plain",
        "Upstash-Forward-X-Key": "k",
        "Upstash-Telemetry-Sdk": "js",
        **option_headers(method="PATCH", retries=2, delay="90s", timeout="1m", retry_delay="1000", label="a,b"),
        **option_headers(callback=f"{URL}/back", callback_forward_x="y", failure_callback=f"{URL}/failed"),
        **option_headers(flow_control_key="key", flow_control_value="rate=2, period=1m", queue_name="q"),
    }
    answer = await caller.ask("POST", f"/v2/schedules/{URL}?a=1&upstash-retries=9", b"hello", headers)
    assert answer.json == {"scheduleId": "noon"}
    assert await caller.read_schedule("noon") == {
        "scheduleId": "noon",
        "cron": "CRON_TZ=Europe/Berlin 0 12 * * *",
        "destination": f"{URL}?a=1",
        "createdAt": EPOCH_MS,
        "method": "PATCH",
        "retries": 2,
        "isPaused": False,
        "header": {"Content-Type": ["text/plain"], "X-Key": ["k"]},
        "delay": 90,
        "timeout": 60,
        "callback": f"{URL}/back",
        "callbackHeader": {"X": ["y"]},
        "failureCallback": f"{URL}/failed",
        "callerIP": "127.0.0.1",
        "callerIp": "127.0.0.1",
        "queueName": "q",
        "retryDelayExpression": "1000",
        "label": "a",
        "labels": ["a", "b"],
        "nextScheduleTime": EPOCH_MS + 11 * HOUR,
        "body": "hello",
        "flowControlKey": "key",
        "rate": 2,
        "period": 60,
    }
    assert (await caller.ask("GET", "/v2/schedules")).json == [await caller.read_schedule("noon")]


async def test_a_new_one_in_its_place_keeps_nothing_of_the_old(engine: Embedded, caller: Caller):
    """Who makes a schedule anew under its id replaces all of it: body, options, pause, and the news of its runs."""
    receiver = engine.receiver(URL)
    await caller.schedule(body=b"old", schedule_id="one", retries=1, label="old")
    await engine.advance(MINUTE)
    await caller.ask("PATCH", "/v2/schedules/one/pause")
    await caller.schedule("*/5 * * * *", f"{URL}/new", schedule_id="one")
    assert await caller.read_schedule("one") == {
        "scheduleId": "one",
        "cron": "*/5 * * * *",
        "destination": f"{URL}/new",
        "createdAt": EPOCH_MS + MINUTE,
        "method": "POST",
        "retries": 3,
        "isPaused": False,
        "callerIP": "127.0.0.1",
        "callerIp": "127.0.0.1",
        "nextScheduleTime": EPOCH_MS + 5 * MINUTE,
    }
    await engine.advance(5 * MINUTE)
    assert [(got.url, got.body) for got in receiver.received] == [(URL, b"old"), (f"{URL}/new", b"")]


async def test_deleting_leaves_its_messages_alone(engine: Embedded, caller: Caller):
    """A deleted schedule makes no more messages, and what it made before is delivered."""
    receiver = engine.receiver(URL)
    schedule_id = await caller.schedule(delay="5m")
    await engine.advance(MINUTE)
    assert (await caller.ask("DELETE", f"/v2/schedules/{schedule_id}")).status == 200
    await engine.advance(HOUR)
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [6 * MINUTE]
    assert (await caller.ask("GET", "/v2/schedules")).json == []


async def test_deduplication_is_about_the_schedule(engine: Embedded, caller: Caller):
    """A repeat within the window makes no second schedule, and each run of the first is sent all the same."""
    receiver = engine.receiver(URL)
    first = await caller.schedule(deduplication_id="setup")
    repeat = await caller.ask(
        "POST", f"/v2/schedules/{URL}", b"", option_headers(cron="* * * * *", deduplication_id="setup")
    )
    assert (repeat.status, repeat.json["scheduleId"]) == (202, first)
    await engine.advance(3 * MINUTE)
    assert len(receiver.received) == 3
    assert len((await caller.ask("GET", "/v2/schedules")).json) == 1
    await caller.ask("DELETE", f"/v2/schedules/{first}")
    assert await caller.schedule(deduplication_id="setup") != first


async def test_what_is_redacted_does_not_show(engine: Embedded, caller: Caller):
    """Body and headers that were to be hidden read REDACTED in the schedule and in its messages; they arrive."""
    receiver = engine.receiver(URL)
    schedule_id = await caller.schedule(
        body=b"private", redact_fields="body,header[X-Secret]", forward_x_secret="s3cret", forward_x_open="o"
    )
    await engine.advance(MINUTE)
    shown = await caller.read_schedule(schedule_id)
    listed = (await caller.ask("GET", "/v2/schedules")).json
    assert "private" not in str([shown, listed, await caller.logs()])
    assert "s3cret" not in str([shown, listed, await caller.logs()])
    assert shown["body"].startswith("REDACTED:")
    assert shown["header"]["X-Open"] == ["o"]
    (got,) = receiver.received
    assert (got.body, header(got.headers, "X-Secret")) == (b"private", "s3cret")


async def test_the_plan_bounds_schedules(clock: ManualClock):
    """One too many is refused with the limit, while one that is there may be made anew."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    for number in range(10):
        await caller.schedule(schedule_id=f"s{number}")
    answer = await caller.ask("POST", f"/v2/schedules/{URL}", b"", option_headers(cron="* * * * *"))
    assert (answer.status, answer.error) == (412, texts.quota_exceeded("maxSchedules", 10))
    await caller.schedule("0 * * * *", schedule_id="s0")
    assert len((await caller.ask("GET", "/v2/schedules")).json) == 10
    await engine.aclose()


@pytest.mark.parametrize(
    ("destination", "options", "status", "named"),
    [
        (URL, {"cron": "x"}, 400, "invalid header Upstash-Cron: 'x': it has 1 fields, and needs 5"),
        (URL, {"cron": "* * * *"}, 400, "'* * * *'"),
        (URL, {"cron": "61 * * * *"}, 400, "61"),
        (URL, {"cron": "CRON_TZ=Mars/Base * * * * *"}, 400, "Mars/Base"),
        (URL, {"cron": "0 0 30 2 *"}, 400, "0 0 30 2 *"),
        (URL, {"cron": "@daily"}, 400, "@daily"),
        (URL, {}, 400, texts.CRON_MISSING),
        (URL, {"cron": "* * * * *", "schedule_id": "a b"}, 400, "a b"),
        (URL, {"cron": "* * * * *", "not_before": 1}, 400, texts.NOT_BEFORE_ON_SCHEDULE),
        (URL, {"cron": "* * * * *", "delay": "soon"}, 400, "soon"),
        (URL, {"cron": "* * * * *", "retry_delay": "1 +"}, 400, "1 +"),
        (URL, {"cron": "* * * * *", "queue_name": "a b"}, 400, "a b"),
        (URL, {"cron": "* * * * *", "callback": "https://"}, 400, "Upstash-Callback"),
        (URL, {"cron": "* * * * *", "delay": "366d"}, 412, "maxDelay"),
        ("ftp://shop.test", {"cron": "* * * * *"}, 400, texts.INVALID_SCHEME),
        ("https://", {"cron": "* * * * *"}, 400, own_texts.unusable_url("https://", "it names no host, or port 0")),
        ("api/llm", {"cron": "* * * * *"}, 410, own_texts.LLM_IS_GONE),
        ("nobody", {"cron": "* * * * *"}, 404, texts.url_group_not_found("nobody")),
    ],
)
async def test_a_schedule_that_could_never_work(
    caller: Caller, destination: str, options: dict, status: int, named: str
):
    """It is refused when it is made, with what is wrong, and nothing is kept."""
    answer = await caller.ask("POST", f"/v2/schedules/{destination}", b"", option_headers(**options))
    assert answer.status == status
    assert named in answer.error
    assert (await caller.ask("GET", "/v2/schedules")).json == []


async def test_a_body_over_the_plan_is_refused(clock: ManualClock):
    """A schedule's body is held to the size of a message."""
    engine = Embedded(clock=clock, quota="free")
    caller = Caller(engine.send)
    body = b"x" * (1024 * 1024 + 1)
    answer = await caller.ask("POST", f"/v2/schedules/{URL}", body, option_headers(cron="* * * * *"))
    assert (answer.status, answer.error) == (413, texts.quota_exceeded("maxMessageSize", 1024 * 1024))
    await engine.aclose()


@pytest.mark.parametrize(("method", "verb"), [("GET", ""), ("DELETE", ""), ("PATCH", "/pause"), ("POST", "/resume")])
async def test_a_schedule_that_is_not_there(engine: Embedded, caller: Caller, method: str, verb: str):
    """404 with its id, for the schedule of another account as well; a bad id or a parameter is 400."""
    await Caller(engine.send, TOKENS[1]).schedule(schedule_id="theirs")
    answer = await caller.ask(method, f"/v2/schedules/theirs{verb}")
    assert (answer.status, answer.error) == (404, texts.schedule_not_found("theirs"))
    assert (await caller.ask(method, f"/v2/schedules/a%20b{verb}")).error == texts.invalid_name("schedule", "a b")
    assert (await caller.ask(method, f"/v2/schedules/theirs{verb}?all=1")).error == texts.unknown_parameter("all")
    assert (await caller.ask("GET", "/v2/schedules?count=1")).error == texts.unknown_parameter("count")


async def test_a_destination_may_end_like_a_verb(caller: Caller):
    """A URL whose path ends in pause is a destination, also where a proxy has folded its slashes."""
    for destination in ("https://shop.test/pause", "https:/pause", "https://pause"):
        await caller.schedule(to=destination)
    listed = [one["destination"] for one in (await caller.ask("GET", "/v2/schedules")).json]
    assert listed == ["https://shop.test/pause", "https://pause", "https://pause"]
