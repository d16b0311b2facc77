import base64
import json

from qsops.engine.embedded import Embedded
from qsops.wire.http import header
from tests.engine.caller import Caller

URL = "https://shop.test/hook"
BACK = "https://shop.test/back"
FAILED = "https://shop.test/failed"


def bodies(receiver) -> list[dict]:
    return [json.loads(got.body) for got in receiver.received]


async def test_a_callback_reports_every_attempt(engine: Embedded, caller: Caller):
    """The callback hears of each attempt as a message of its own: status, headers, body, retried, and the source."""
    engine.receiver(URL, "500 x-a=1 body=no,201 body=yes")
    back = engine.receiver(BACK)
    message_id = await caller.publish(URL, b"ask", callback=BACK, label="l")
    await engine.settle()
    first, last = bodies(back)
    assert (first["status"], first["retried"], first["maxRetries"]) == (500, 0, 3)
    assert (last["status"], last["retried"]) == (201, 1)
    assert base64.b64decode(last["body"]) == b"yes"
    assert base64.b64decode(last["sourceBody"]) == b"ask"
    assert first["header"] == {"x-a": ["1"]}
    assert {report["sourceMessageId"] for report in (first, last)} == {message_id}
    assert (first["url"], first["method"]) == (URL, "POST")
    assert header(back.received[0].headers, "Content-Type") == "application/json"
    ids = [header(got.headers, "Upstash-Message-Id") for got in back.received]
    assert await caller.states(ids[0]) == ["CREATED", "ACTIVE", "DELIVERED"]


async def test_a_callback_shows_nothing_that_its_message_hides(engine: Embedded, caller: Caller):
    """A report quotes the message that it is about: where that is redacted, so is the report, but not on its way."""
    engine.receiver(URL)
    back = engine.receiver(BACK)
    await caller.publish(URL, b"secret", callback=BACK, redact_fields="body")
    await engine.settle()
    assert base64.b64decode(bodies(back)[0]["sourceBody"]) == b"secret"
    reported = {base64.b64decode(entry["body"]) for entry in await caller.logs(url=BACK)}
    assert len(reported) == 1
    assert reported.pop().startswith(b"REDACTED:")


async def test_a_failure_callback_comes_once_with_the_dlq_id(engine: Embedded, caller: Caller):
    """Only the last failure is told to it, naming the dead letter."""
    engine.receiver(URL, "500")
    failed = engine.receiver(FAILED)
    await caller.publish(URL, retries=2, failure_callback=FAILED)
    await engine.settle()
    (report,) = bodies(failed)
    assert (report["retried"], report["maxRetries"]) == (2, 2)
    assert [letter["dlqId"] for letter in await caller.dead_letters()] == [report["dlqId"]]


async def test_no_failure_callback_after_success(engine: Embedded, caller: Caller):
    """A message that was delivered in the end has not failed."""
    engine.receiver(URL, "500,200")
    failed = engine.receiver(FAILED)
    await caller.publish(URL, failure_callback=FAILED)
    await engine.settle()
    assert failed.received == []


async def test_a_callback_has_options_of_its_own(engine: Embedded, caller: Caller):
    """Method, retries and forwarded headers of a callback are its own; unset retries follow the message."""
    engine.receiver(URL)
    engine.receiver(FAILED, "500")
    back = engine.receiver(BACK, "500")
    await caller.publish(
        URL, callback=BACK, callback_method="PUT", callback_retries=1, callback_forward_x_key="k", callback_timeout="3s"
    )
    await engine.settle()
    assert [got.method for got in back.received] == ["PUT", "PUT"]
    assert header(back.received[0].headers, "X-Key") == "k"
    (letter,) = await caller.dead_letters()
    assert (letter["url"], letter["maxRetries"]) == (BACK, 1)


async def test_a_failing_callback_ends_in_the_dlq_and_calls_nobody(engine: Embedded, caller: Caller):
    """A callback is retried as often as its message, then buried; it has no callbacks itself."""
    engine.receiver(URL, "500")
    back = engine.receiver(BACK, "500")
    await caller.publish(URL, retries=1, callback=BACK, failure_callback=BACK)
    await engine.settle()
    assert len(back.received) == 3 * 2
    assert len(await caller.dead_letters()) == 1 + 3


async def test_a_callback_without_an_answer_has_status_zero(engine: Embedded, caller: Caller):
    """Where nothing came back there is no status to tell, and no header or body."""
    engine.receiver(URL, "drop")
    back = engine.receiver(BACK)
    await caller.publish(URL, retries=0, callback=BACK)
    await engine.settle()
    (report,) = bodies(back)
    assert (report["status"], report["header"], report["body"]) == (0, {}, "")


async def test_a_callback_carries_no_label(engine: Embedded, caller: Caller):
    """A listing by label shows the messages, not what reports on them."""
    engine.receiver(URL)
    engine.receiver(BACK)
    message_id = await caller.publish(URL, callback=BACK, label="l")
    await engine.settle()
    assert {entry["messageId"] for entry in await caller.logs(label="l")} == {message_id}
    assert all("label" not in entry for entry in await caller.logs(url=BACK))
