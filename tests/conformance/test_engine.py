import base64
import json

import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import Sdk
from tests.conformance.servers import DEV_KEYS, EngineServer


@pytest.fixture
def server(engine: EngineServer) -> EngineServer:
    """The engine alone: a stand-in that delivers nothing by itself cannot show what is asked here."""
    return engine


def test_the_first_dev_user_has_the_published_keys(engine: EngineServer):
    """A client with QSTASH_DEV compares both keys before it trusts the server (reference 14)."""
    assert engine.keys() == DEV_KEYS


def test_a_poisoned_message_is_tried_once(sdk: Sdk, engine: EngineServer, destination: Destination, label: str):
    """489 with Upstash-NonRetryable-Error ends a message at once, whatever retries it has."""
    url = destination.hook("poison")
    message_id = sdk.publish_json(url, {"n": 1}, retries=5, retry_delay="0", label=label).message_id
    assert engine.finish(message_id) == "FAILED"
    (letter,) = sdk.dead_letters(label=label)
    assert (letter.response_status, letter.response_body) == (489, "never again")
    assert len(destination.arrivals(url)) == 1


def test_a_failure_callback_tells_what_failed(sdk: Sdk, engine: EngineServer, destination: Destination, label: str):
    """It comes once, signed for its own URL, with the message and the last answer in it (reference 7)."""
    url, told = destination.hook("down"), destination.hook("ok", "/failed")
    options = {"retries": 1, "retry_delay": "0", "label": label, "failure_callback": told}
    message_id = sdk.publish_json(url, {"text": "Olá 👋"}, **options).message_id
    assert engine.finish(message_id) == "FAILED"
    (seen,) = destination.arrivals(told)
    sdk.verify(DEV_KEYS, seen.header("Upstash-Signature") or "", seen.body.decode(), told)
    report = seen.json()
    (letter,) = sdk.dead_letters(label=label)
    assert report["sourceMessageId"] == message_id != seen.header("Upstash-Message-Id")
    assert (report["dlqId"], report["status"], report["url"]) == (letter.dlq_id, 500, url)
    assert (report["retried"], report["maxRetries"]) == (1, 1)
    assert base64.b64decode(report["body"]) == b"it is down"
    assert json.loads(base64.b64decode(report["sourceBody"])) == {"text": "Olá 👋"}
    assert report["sourceHeader"]["Content-Type"] == ["application/json"]


def test_a_callback_comes_after_every_attempt(sdk: Sdk, engine: EngineServer, destination: Destination, label: str):
    """Delivered or not: one report for each attempt, the last of them with retried equal to maxRetries."""
    told = destination.hook("ok", "/callback")
    options = {"retries": 1, "retry_delay": "0", "label": label, "callback": told}
    engine.finish(sdk.publish_json(destination.hook("down"), {}, **options).message_id)
    reports = [seen.json() for seen in destination.arrivals(told, 2)]
    assert sorted(report["retried"] for report in reports) == [0, 1]
    assert {report["status"] for report in reports} == {500}


def test_a_delivery_that_cannot_be_made_is_retried(sdk: Sdk, engine: EngineServer, label: str):
    """Nobody listens: each attempt is an ERROR without a status, and the message ends FAILED."""
    message_id = sdk.publish("http://127.0.0.1:9/nobody", "x", retries=1, retry_delay="0", label=label).message_id
    assert engine.finish(message_id) == "FAILED"
    logs, _ = sdk.logs(message_id=message_id)
    assert [log.state for log in logs].count("ERROR") == 2
