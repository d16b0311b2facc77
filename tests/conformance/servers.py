"""The two servers that the official SDKs are tried against, under one face."""

from __future__ import annotations

import http.client
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from tests.conformance.waiting import BOUND_S, until
from tests.standins.hosted import HostedQStash
from tests.standins.processes import ChildProcess

__all__ = ["DEV_KEYS", "DEV_TOKEN", "EngineServer", "Server", "StandInServer"]

# The vendor's public development users 1 and 2 (reference 14), written out here: what qsops has them as is under test.
DEV_TOKEN: Final = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
DEV_KEYS: Final = ("sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs")
SECOND_DEV_TOKEN: Final = "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9"

_SERVE: Final = """
import json, sys
from qsops.engine.server import serve, serving
settings = {"processes": 2, **json.loads(sys.argv[2])}
serve(serving(port=0, db=sys.argv[1], **settings), on_ready=lambda url: print("serving", url, flush=True))
"""
_FINAL: Final = ("DELIVERED", "FAILED", "CANCELED")


class Server(Protocol):
    """QStash at ``url``. ``spare_token`` is for a test that changes the keys."""

    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def spare_token(self) -> str: ...

    def finish(self, message_id: str) -> str:
        """See the message to its end: its final state."""
        ...

    def keys(self) -> tuple[str, str]:
        """The current and the next signing key of ``token``, asked for by plain HTTP."""
        ...


class StandInServer:
    """The stand-in for the hosted service; it delivers when a test asks how a message ended."""

    def __init__(self, hosted: HostedQStash) -> None:
        self._hosted = hosted
        self.url = hosted.url
        self.token = self.spare_token = hosted.token

    def finish(self, message_id: str) -> str:
        return self._hosted.deliver(message_id)

    def keys(self) -> tuple[str, str]:
        return _keys(self)


class EngineServer(ChildProcess):
    """Our engine in a process of its own, on a free port and a fresh database; ``settings`` are ``serving``'s."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        project = Path(__file__).parents[2]
        command = [sys.executable, "-c", _SERVE, str(folder / "engine.db"), json.dumps(settings)]
        super().__init__(command, cwd=folder, environment={"PYTHONPATH": str(project), "QSOPS_DOTENV": "off"})
        self.url = self.wait_for_line(r"serving (\S+)")[1]
        self.token = DEV_TOKEN
        self.spare_token = SECOND_DEV_TOKEN

    def finish(self, message_id: str) -> str:
        return until(lambda: self._final_state(message_id), f"the end of {message_id}")

    def keys(self) -> tuple[str, str]:
        return _keys(self)

    def tidy(self, name: str) -> None:
        """Delete the queues and groups called ``name``, or ``name`` with a hyphen and more."""
        for kind in ("queues", "topics"):
            names = [each["name"] for each in _get(self, f"/v2/{kind}")]
            for each in names:
                if f"{each}-".startswith(f"{name}-"):
                    _ask(self, "DELETE", f"/v2/{kind}/{each}")

    def ask(self, method: str, path: str, content: object = None, headers: dict[str, str] | None = None) -> Any:
        """What a plain request is answered, as JSON; ``content`` goes as JSON."""
        body = None if content is None else json.dumps(content).encode()
        return json.loads(_ask(self, method, path, body, headers) or "null")

    def _final_state(self, message_id: str) -> str | None:
        events = _get(self, f"/v2/events?messageId={message_id}")["events"]
        return next((event["state"] for event in events if event["state"] in _FINAL), None)


def _keys(server: Server) -> tuple[str, str]:
    keys = _get(server, "/v2/keys")
    return keys["current"], keys["next"]


def _get(server: Server, path: str) -> Any:
    return json.loads(_ask(server, "GET", path))


def _ask(
    server: Server, method: str, path: str, content: bytes | None = None, headers: dict[str, str] | None = None
) -> bytes:
    # Asked again and again: a client of httpx would load its certificates each time.
    parts = urlsplit(server.url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=BOUND_S)) as connection:
        connection.request(method, path, content, {"Authorization": f"Bearer {server.token}", **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
    assert answer.status < 300, f"{method} {path} was answered {answer.status}: {body[:200]!r}"
    return body
