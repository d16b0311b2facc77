import json
from collections.abc import Callable

import msgspec
import pytest

import qsops
from qsops.errors import AuthError, OutcomeUnknown, Rejected, ServerFault, SettingsError, Unreachable
from qsops.models import LedgerEntry
from qsops.session.consumers import Consumers
from qsops.wire.ledger import LEDGER_PATH, ledger_entry_json
from tests.session.conftest import Opener
from tests.standins.loopback import Answer, LoopbackServer, Seen

ENTRY = LedgerEntry("event-1", "message", "17", "processed", 1, mid="mid-1", message_id="msg_1", processed_at_ms=2)


def serving(respond: Callable[[Seen], Answer]) -> LoopbackServer:
    return LoopbackServer(respond)


async def test_the_ledger_is_asked_with_its_token():
    """What the service says of an event is read at its internal route, by event, mid or message."""
    with serving(lambda seen: Answer(200, {"events": [ledger_entry_json(ENTRY)]})) as service:
        consumers = Consumers(None, service.url, "internal-token")
        assert await consumers.ledger(event_id="event-1 &") == [ENTRY]
        await consumers.aclose()
    (seen,) = service.seen
    assert seen.path == LEDGER_PATH
    assert seen.params == {"event_id": ["event-1 &"]}
    assert seen.header("Authorization") == "Bearer internal-token"


async def test_without_a_service_the_ledger_is_empty():
    """A message that no service of ours handled has a timeline all the same."""
    assert await Consumers(None, None, None).ledger(message_id="msg_1") == []


@pytest.mark.parametrize(("status", "error"), [(401, AuthError), (403, AuthError), (404, Rejected), (503, ServerFault)])
async def test_a_ledger_that_does_not_answer_is_an_error(status: int, error: type):
    """An empty ledger and an unreadable one are not the same; the token is in no error."""
    with serving(lambda seen: Answer(status, {})) as service:
        consumers = Consumers(None, service.url, "internal-token")
        with pytest.raises(error) as raised:
            await consumers.ledger(mid="mid-1")
        await consumers.aclose()
    assert "internal-token" not in str(raised.value)


def test_a_request_goes_over_the_network_as_it_is(opened: Opener):
    """Outside of the embedded engine a producer's request is a real one, and a status is an answer."""
    with serving(lambda seen: Answer(418, {"got": seen.body.decode()}, {"X-A": "b"})) as service:
        answer = opened().request("put", f"{service.url}/path?x=1", content="né", headers={"X-Sent": "1"})
    assert (answer.status, json.loads(answer.body)) == (418, {"got": "né"})
    (seen,) = service.seen
    assert (seen.method, seen.target, seen.header("X-Sent")) == ("PUT", "/path?x=1", "1")


def test_what_cannot_be_asked_is_named(opened: Opener):
    """No connection, a lost answer and a broken URL are three things."""
    qs = opened()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        qs.request("GET", "http://127.0.0.1:9/")
    with pytest.raises(SettingsError, match="gopher"):
        qs.request("GET", "gopher://a.example/")
    with serving(lambda seen: Answer(lost=True)) as service, pytest.raises(OutcomeUnknown):
        qs.request("POST", service.url)


def test_nothing_is_mounted_reads_like_a_refused_connection():
    """An embedded session never leaves the process: a URL without an app is unreachable."""
    with qsops.connect() as qs, pytest.raises(Unreachable, match="nothing is mounted"):
        qs.request("GET", "https://nobody.example/")


def test_a_mounted_service_tells_the_trace():
    """With its internal token a mounted app's ledger is what `event:` and `ig:` are looked up in."""

    async def app(scope, receive, send):
        assert scope["type"] == "http"
        headers = [(b"content-type", b"application/json")]
        asked = scope["path"] == LEDGER_PATH and (b"authorization", b"Bearer internal-token") in scope["headers"]
        entry = msgspec.structs.replace(ENTRY, message_id=sent.message_id)
        body = json.dumps({"events": [ledger_entry_json(entry)]} if asked else {})
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})

    with qsops.connect() as qs:
        qs.mount("https://shop.example", app, internal_token="internal-token")
        sent = qs.publish("https://shop.example/hook", json=1)
        qs.settle()
        for ref in ("event:event-1", "ig:mid-1", sent.message_id):
            assert {"received", "attempt 1", "processed"} <= set(qs.trace(ref).frame["step"])
