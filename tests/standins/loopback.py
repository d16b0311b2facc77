"""An HTTP server on loopback, in a thread of its own, that records each request before it answers.

What stands here knows nothing of QStash. A handler is a plain function of the request; all handlers run one after
another on the server's thread. The host may still be changed from a test's thread: see :attr:`LoopbackServer.lock`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

__all__ = ["Answer", "Gate", "LoopbackServer", "Seen"]

# A test that forgets to open a gate, or waits for what never comes, ends here and not with the runner's patience.
BOUND_S: Final = 60.0
# Destinations, label lists and ids travel in the request line.
_LINE_LIMIT: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it stood on the wire: ``target`` is the raw request line's, not decoded and not repaired."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        """The raw path, up to the first ``?``."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query, without the ``?``."""
        return self.target.partition("?")[2]

    @property
    def params(self) -> dict[str, list[str]]:
        """The query, decoded."""
        return parse_qs(self.query, keep_blank_values=True)

    def header(self, name: str) -> str | None:
        """The first value of a header, in whatever case it is spelled."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Gate:
    """Holds an answer back until it is opened, for at most BOUND_S."""

    def __init__(self) -> None:
        self._opened: Future[None] = Future()
        self.reached = threading.Event()

    def open(self) -> None:
        """Let the answer out; opening twice is harmless."""
        if not self._opened.done():
            self._opened.set_result(None)

    async def passed(self) -> None:
        """Wait until the gate is open."""
        self.reached.set()
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._opened)), BOUND_S)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: ``body`` as it is, or ``content`` as JSON. ``lost``: the connection is closed instead."""

    status: int = 200
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    lost: bool = False
    gate: Gate | None = None

    def encoded(self) -> bytes:
        """The bytes of the body."""
        if self.body is not None:
            return self.body
        return json.dumps(self.content, ensure_ascii=False).encode()


class LoopbackServer:
    """A server on a free port of 127.0.0.1: a context manager, up when entered and gone when left."""

    def __init__(self, respond: Callable[[Seen], Answer]) -> None:
        self._respond = respond
        self._seen: list[Seen] = []
        self._changed = threading.Condition()
        self._started: Future[int] = Future()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="loopback-server", daemon=True)
        #: Held while a request is answered; hold it to change several things at once.
        self.lock = threading.RLock()

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result(BOUND_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(BOUND_S)
        assert not self._thread.is_alive(), "a stand-in's server did not stop"

    @property
    def port(self) -> int:
        return self._started.result(BOUND_S)

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def seen(self) -> list[Seen]:
        """Every request so far, in the order of arrival."""
        with self._changed:
            return list(self._seen)

    def wait_for(self, count: int, *, matching: Callable[[Seen], bool] = lambda _: True) -> list[Seen]:
        """The requests that match, once there are ``count`` of them.

        :raises AssertionError: if they do not come within BOUND_S.
        """
        with self._changed:
            enough = self._changed.wait_for(lambda: sum(map(matching, self._seen)) >= count, BOUND_S)
            found = list(filter(matching, self._seen))
        assert enough, f"waited for {count} requests, {len(found)} came"
        return found

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            # Whoever waits for the start hears of it; a later fault is the thread's own to report.
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        # The low-level server: a router would decode and normalise the path, which carries a destination.
        server = web.Server(
            self._handle, access_log=None, max_line_size=_LINE_LIMIT, max_field_size=_LINE_LIMIT, max_headers=512
        )
        runner = web.ServerRunner(server, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._started.set_result(int(runner.addresses[0][1]))
        await self._stop.wait()
        await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        headers = tuple((name.decode("latin-1"), _text(value)) for name, value in request.raw_headers)
        seen = Seen(request.method, _origin_form(request.raw_path), headers, body)
        with self._changed:
            self._seen.append(seen)
            self._changed.notify_all()
        with self.lock:
            answer = self._respond(seen)
        if answer.gate is not None:
            await answer.gate.passed()
        if answer.lost and request.transport is not None:
            request.transport.abort()
        return web.Response(
            status=answer.status,
            body=answer.encoded(),
            headers={"Content-Type": "application/json", **answer.headers},
        )


def _text(value: bytes) -> str:
    """A header's value: UTF-8, as clients send it today, or else latin-1, in which any bytes mean something."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _origin_form(target: str) -> str:
    """A request line may name the whole URL, as to a proxy."""
    if target.startswith("/"):
        return target
    parts = urlsplit(target)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
