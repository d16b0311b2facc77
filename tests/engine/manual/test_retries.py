import asyncio

import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine.deliveries.scripted import Answer
from qsops.engine.embedded import Embedded
from qsops.wire.http import header
from tests.engine.caller import Caller

URL = "https://shop.test/hook"
CURVE_S = [0, 12, 12 + 148, 12 + 148 + 1808, 12 + 148 + 1808 + 22026, 12 + 148 + 1808 + 22026 + 86400]


def seconds(receiver) -> list[float]:
    return [(got.at_ms - EPOCH_MS) / 1000 for got in receiver.received]


async def test_the_default_curve(engine: Embedded, caller: Caller):
    """Five retries come after 12 s, 148 s, 1808 s, 22026 s and a day, each saying how many went before."""
    receiver = engine.receiver(URL, "500")
    message_id = await caller.publish(URL, retries=5)
    await engine.settle()
    assert seconds(receiver) == CURVE_S
    assert [header(got.headers, "Upstash-Retried") for got in receiver.received] == ["0", "1", "2", "3", "4", "5"]
    assert len({header(got.headers, "Upstash-Message-Id") for got in receiver.received}) == 1
    assert await caller.states(message_id) == [
        "CREATED",
        *["ACTIVE", "ERROR", "RETRY"] * 5,
        "ACTIVE",
        "ERROR",
        "FAILED",
    ]


@pytest.mark.parametrize(
    ("answers", "options", "at_s"),
    [
        ("500,500,200", {"retry_delay": "7000 * retried"}, [0, 0, 7]),
        ("500,500,500,200", {"retry_delay": "pow(2, retried) * 1000"}, [0, 1, 3, 7]),
        ("500 retry-after=5,200", {}, [0, 5]),
        ("429 retry-after=5,200", {"retry_delay": "60000"}, [0, 5]),
        ("500 retry-after=0,200", {}, [0, 0]),
        ("429 x-ratelimit-reset-tokens=6m5s,200", {}, [0, 365]),
        ("500 retry-after=90000,200", {}, [0, 12]),
        ("301 location=https://elsewhere.test,200", {}, [0, 12]),
        ("drop,200", {}, [0, 12]),
        ("500", {"retries": 0}, [0]),
        ("204", {}, [0]),
    ],
)
async def test_when_an_attempt_is_repeated(engine: Embedded, caller: Caller, answers: str, options: dict, at_s: list):
    """The expression counts in milliseconds; what the answer asks for wins, but for more than a day; no redirects."""
    receiver = engine.receiver(URL, answers)
    await caller.publish(URL, **options)
    await engine.settle()
    assert seconds(receiver) == at_s


async def test_a_date_in_retry_after(engine: Embedded, caller: Caller):
    """Retry-After may be an HTTP date: the next attempt comes at that second."""
    later = Answer(503, (("Retry-After", "Thu, 01 Jan 2026 00:10:00 GMT"),))
    receiver = engine.receiver(URL, [later, Answer(200)])
    await caller.publish(URL)
    await engine.settle()
    assert seconds(receiver) == [0, 600]


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        ("489 upstash-nonretryable-error=true", 1),
        ("489", 4),
        ("400 upstash-nonretryable-error=true", 4),
    ],
)
async def test_only_489_with_its_header_is_final(engine: Embedded, caller: Caller, answer: str, attempts: int):
    """489 with Upstash-NonRetryable-Error goes to the DLQ at once; neither half of it alone does."""
    receiver = engine.receiver(URL, answer)
    await caller.publish(URL, retries=3)
    await engine.settle()
    assert len(receiver.received) == attempts
    assert [letter["responseStatus"] for letter in await caller.dead_letters()] == [int(answer.split()[0])]


async def test_a_timeout_ends_the_attempt(engine: Embedded, caller: Caller):
    """An answer after the message's timeout counts for nothing; the retry is reckoned from the timeout."""
    receiver = engine.receiver(URL, "200 after=11s,200 after=9s")
    message_id = await caller.publish(URL, timeout="10s")
    await engine.settle()
    assert seconds(receiver) == [0, 22]
    error = (await caller.logs(messageId=message_id, state="ERROR"))[0]
    assert error["error"] == "timeout: no answer within 10 s"
    assert error["nextDeliveryTime"] == EPOCH_MS + 22_000
    assert engine.clock.now_ms() == EPOCH_MS + 31_000


async def test_a_slow_application_follows_the_manual_clock(engine: Embedded, caller: Caller, clock: ManualClock):
    """A handler that sleeps does so in the clock's time, beside the other deliveries, and times out by it."""
    naps: list[int] = []

    async def app(scope, receive, send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        await asyncio.sleep(5)
        naps.append(clock.now_ms() - EPOCH_MS)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    engine.mount("https://app.test", app)
    await caller.publish("https://app.test/a")
    await caller.publish("https://app.test/b", timeout="2s", retries=0)
    await engine.settle()
    assert naps == [5_000]
    assert [letter["url"] for letter in await caller.dead_letters()] == ["https://app.test/b"]


async def test_a_fault_of_the_destination_is_told_in_the_log(engine: Embedded, caller: Caller):
    """An ERROR entry carries status, headers and body of the answer, and when the next attempt comes."""
    engine.receiver(URL, "503 body=overloaded x-shard=4,200")
    message_id = await caller.publish(URL)
    await engine.settle()
    (error,) = await caller.logs(messageId=message_id, state="ERROR")
    assert (error["responseStatus"], error["responseBody"]) == (503, "b3ZlcmxvYWRlZA==")
    assert error["responseHeaders"] == error["responseHeader"] == {"x-shard": ["4"]}
    assert error["nextDeliveryTime"] == EPOCH_MS + 12_000
    assert error["error"] == "the destination answered 503"


async def test_nobody_at_home_is_retried_like_any_fault(engine: Embedded, caller: Caller):
    """A destination where nothing listens fails the attempt; once something does, the retry arrives."""
    await caller.publish(URL)
    await engine.advance(1_000)
    receiver = engine.receiver(URL)
    await engine.settle()
    assert seconds(receiver) == [12]
