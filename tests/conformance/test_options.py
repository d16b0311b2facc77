import hashlib

import pytest

from qsops.clock import SystemClock
from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, PythonSdk, Sdk
from tests.conformance.servers import Server

#: What is no UTF-8.
BYTES = b"\xff\x00\xfe"


@pytest.fixture
def server(whole_server: Server) -> Server:
    return whole_server


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_the_method_is_the_one_that_was_asked_for(sdk: Sdk, server: Server, destination: Destination, method: str):
    """POST is the default, and the others reach the destination as they are."""
    url = destination.hook()
    assert server.finish(sdk.publish(url, None, method=method).message_id) == "DELIVERED"
    (seen,) = destination.arrivals(url)
    assert (seen.method, seen.body) == (method, b"")
    sdk.verify(server.keys(), seen.header("Upstash-Signature") or "", "", url)


def test_bytes_arrive_as_they_were_sent(sdk: Sdk, server: Server, destination: Destination):
    """A body that is no text travels whole, under its content type, and is shown in base64."""
    url = destination.hook()
    message_id = sdk.publish(url, BYTES, content_type="application/octet-stream").message_id
    assert server.finish(message_id) == "DELIVERED"
    message = sdk.message(message_id)
    assert (message.body, message.body_base64) == (None, "/wD+")
    (seen,) = destination.arrivals(url)
    assert (seen.body, seen.header("Content-Type")) == (BYTES, "application/octet-stream")


@pytest.mark.account
@pytest.mark.parametrize(("delay", "seconds"), [(90, 90), ("1h30m3s", 5403), ("1d", 86_400)])
def test_a_delay_is_kept(sdk: Sdk, destination: Destination, delay: int | str, seconds: int):
    """A number is seconds, a text is in units; the message is not before then."""
    message = sdk.message(sdk.publish(destination.hook(), "x", delay=delay, retries=0).message_id)
    assert abs(message.not_before - message.created_at - seconds * 1000) <= 1000
    sdk.cancel(message.message_id)


@pytest.mark.account
def test_an_absolute_time_wins_over_a_delay(sdk: Sdk, destination: Destination):
    """not_before is in seconds of UTC, and a delay beside it is ignored."""
    at_s = SystemClock().now_ms() // 1000 + 3600
    message_id = sdk.publish(destination.hook(), "x", not_before=at_s, delay=5, retries=0).message_id
    assert sdk.message(message_id).not_before == at_s * 1000
    sdk.cancel(message_id)


@pytest.mark.parametrize("kind", ["python", "javascript"])
def test_a_timeout_ends_an_attempt(sdk: Sdk, server: Server, destination: Destination, label: str):
    """A destination that does not answer in time has failed, with the status of no answer."""
    url = destination.hook()
    gate = destination.hold(url)
    message_id = sdk.publish(url, "x", timeout=1, retries=0, label=label).message_id
    assert server.finish(message_id) == "FAILED"
    gate.open()
    (letter,) = sdk.dead_letters(label=label)
    assert (letter.message_id, letter.response_status) == (message_id, 0)


def test_what_is_hidden_is_hidden_everywhere_but_at_the_destination(
    sdk: Sdk, server: Server, destination: Destination, label: str
):
    """Message, log and DLQ show a hash; the destination gets the original."""
    url = destination.hook("down")
    redact = {"body": True, "header": ["Secret"]}
    headers = {"Secret": "s3cret", "Plain": "p"}
    message_id = sdk.publish(url, "confidential", headers=headers, redact=redact, retries=0, label=label).message_id
    assert server.finish(message_id) == "FAILED"
    hidden = f"REDACTED:{hashlib.sha256(b'confidential').hexdigest()}"
    message = sdk.message(message_id)
    assert message.body == hidden
    assert (message.header["Secret"][0][:9], message.header["Plain"]) == ("REDACTED:", ["p"])
    told = str(sdk.logs(message_id=message_id)) + str(sdk.dead_letters(label=label))
    assert "s3cret" not in told
    assert "Y29uZmlkZW50aWFs" not in told
    (seen,) = destination.arrivals(url)
    assert (seen.body, seen.header("Secret"), seen.header("Plain")) == (b"confidential", "s3cret", "p")


def test_all_headers_are_hidden_at_once(sdk: Sdk, destination: Destination):
    """header: true takes all of them."""
    options = {"headers": {"One": "1", "Two": "2"}, "redact": {"header": True}, "delay": 3600}
    header = sdk.message(sdk.publish(destination.hook(), "x", **options).message_id).header
    assert all(value[0].startswith("REDACTED:") for name, value in header.items() if name in ("One", "Two"))
    assert {"One", "Two"} <= header.keys()


def test_callbacks_have_headers_of_their_own(sdk: Sdk, server: Server, destination: Destination):
    """What is forwarded to a callback, and its method, are its own; the message shows them."""
    told, failed = destination.hook("ok", "/told"), destination.hook("ok", "/failed")
    own = {"callback": told, "failure_callback": failed, "retries": 0}
    given = {
        "Upstash-Callback-Forward-Own": "c",
        "Upstash-Callback-Method": "PUT",
        "Upstash-Failure-Callback-Forward-Own": "f",
    }
    url = destination.hook("down")
    published = (
        sdk.publish(
            url,
            "x",
            callback_headers={"Forward-Own": "c", "Method": "PUT"},
            failure_callback_headers={"Forward-Own": "f"},
            **own,
        )
        if isinstance(sdk, PythonSdk)
        else sdk.publish(url, "x", headers=given, **own)
    )
    assert server.finish(published.message_id) == "FAILED"
    (called,) = destination.arrivals(told)
    (failure,) = destination.arrivals(failed)
    assert (called.method, called.header("Own")) == ("PUT", "c")
    assert (failure.method, failure.header("Own")) == ("POST", "f")
    message = sdk.message(published.message_id)
    assert (message.callback_header or {})["Own"] == ["c"]
    assert (message.failure_callback_header or {})["Own"] == ["f"]


def test_retries_wait_as_the_expression_says(sdk: Sdk, server: Server, destination: Destination):
    """Milliseconds, from the number of retries so far; the log tells when the next attempt is due."""
    url = destination.hook("down")
    message_id = sdk.publish(url, "x", retries=2, retry_delay="10 * (1 + retried)").message_id
    assert server.finish(message_id) == "FAILED"
    seen = destination.arrivals(url, 3)
    assert [each.header("Upstash-Retried") for each in seen] == ["0", "1", "2"]
    assert {log.retry_delay for log in sdk.logs(message_id=message_id)[0]} == {"10 * (1 + retried)"}


def test_headers_of_the_client_go_with_each_publish(
    javascript: JavaScriptSdk, server: Server, destination: Destination, label: str
):
    """A client may be made with headers for everything; a message's own win."""
    config = {"baseUrl": server.url, "token": server.token, "retry": False, "headers": {"Every": "e", "Own": "client"}}
    client = javascript.configured(config)
    url = destination.hook()
    request = {"url": url, "body": {}, "headers": {"Own": "message"}}
    assert server.finish(client.call("publishJSON", request)["messageId"]) == "DELIVERED"
    (seen,) = destination.arrivals(url)
    assert (seen.header("Every"), seen.header("Own")) == ("e", "message")


def test_a_plain_batch_keeps_what_each_item_is(sdk: Sdk, server: Server, destination: Destination, label: str):
    """To a URL, to a group and into a queue in one request: an answer each, a list of them for the group."""
    plain, grouped, queued = destination.hook(), [destination.hook() for _ in range(2)], destination.hook()
    sdk.groups.add(label, [{"url": url} for url in grouped])
    first, second, third = sdk.batch(
        [
            {"url": plain, "body": "p", "content_type": "text/plain", "method": "PUT"},
            {"url_group": label, "body": "g"},
            {"url": queued, "body": "q", "queue": label},
        ]
    )
    assert not isinstance(first, list)
    assert isinstance(second, list)
    assert not isinstance(third, list)
    assert {answer.url for answer in second} == set(grouped)
    assert [server.finish(each.message_id) for each in (first, *second, third)] == ["DELIVERED"] * 4
    (seen,) = destination.arrivals(plain)
    assert (seen.method, seen.body, seen.header("Content-Type")) == ("PUT", b"p", "text/plain")
    assert [destination.arrivals(url)[0].body for url in grouped] == [b"g", b"g"]
    assert sdk.queues.get(label).name == label
    assert {log.queue for log in sdk.logs(message_id=third.message_id)[0]} == {label}


@pytest.mark.parametrize("many", [1, 3])
def test_a_json_batch_into_a_queue_keeps_its_order(
    sdk: Sdk, server: Server, destination: Destination, label: str, many: int
):
    """One after the other, as in the batch; a batch of one is answered as a list as well."""
    url = destination.hook()
    answers = sdk.batch_json([{"url": url, "body": {"n": n}, "queue": label} for n in range(many)])
    assert len(answers) == many
    for answer in answers:
        assert not isinstance(answer, list)
        assert server.finish(answer.message_id) == "DELIVERED"
    assert [seen.json() for seen in destination.arrivals(url, many)] == [{"n": n} for n in range(many)]
