import logging
from contextlib import aclosing

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qsops.client.transport import HttpTransport
from qsops.config.dev_users import DEV_USERS
from qsops.engine import server
from qsops.errors import OutcomeUnknown
from qsops.wire.http import Request
from tests.engine.served.conftest import Hook, Serve

PUBLISH_HEADERS = (("Authorization", f"Bearer {DEV_USERS[0].token}"),)


@pytest.mark.parametrize("protocol", [HttpToolsProtocol, H11Protocol])
@pytest.mark.parametrize(("text", "arrives"), [("engine unreachable", False), ("engine unreachable after=true", True)])
async def test_an_unreachable_engine_hangs_up(
    serve: Serve,
    hook: Hook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    protocol: type,
    text: str,
    arrives: bool,
):
    """The connection is closed without an answer, whichever way uvicorn reads HTTP, and nothing is logged as our fault.

    A client cannot know whether its message was taken; it was only if the fault lets the engine do its part.
    """
    monkeypatch.setattr(server, "http_protocol", lambda: protocol)
    with caplog.at_level(logging.WARNING):
        async with serve() as running, aclosing(HttpTransport(running.server.url)) as client:
            await running.caller.ask("POST", "/qsops/faults", {"fault": text})
            with pytest.raises(OutcomeUnknown):
                await client.send(Request("POST", f"/v2/publish/{hook.url}/", headers=PUBLISH_HEADERS, body=b"x"))
            assert (await running.caller.ask("DELETE", "/qsops/faults")).json == {"deleted": 1}
            states = [entry["state"] for entry in await running.caller.logs()]
            assert ("CREATED" in states) is arrives
    assert caplog.records == []


async def test_a_slow_engine_answers_later(serve: Serve):
    """Over a socket the wait is real, and the answer is the one that was asked for."""
    async with serve() as running:
        await running.caller.ask("POST", "/qsops/faults", {"fault": "engine slow=20ms path=/v2/keys"})
        assert (await running.caller.ask("GET", "/v2/keys")).json["current"] == DEV_USERS[0].keys.current
        assert (await running.caller.ask("GET", "/qsops/faults/fault_1")).json["met"] == 1
