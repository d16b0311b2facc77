"""A destination that writes down what comes, and answers by a script: some fail, some are slow, some dropped."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from qsops.clock import SystemClock
from tests.engine.durability.ledger import kind_of

__all__ = ["Arrival", "Receiver", "Script", "receiving", "seeded", "welcome"]

#: From a key, and how many times it has come by now, to ``200``, ``500``, ``drop`` or ``slow``.
Script = Callable[[str, int], str]

#: From this arrival of a message on it is answered with success: each seed comes to an end.
_PATIENCE: Final = 3
#: A doomed message is tried twice.
_DOOMED: Final = 2
_SLOW_S: Final = 0.2
_MOODS: Final = ((0.05, "500"), (0.08, "drop"), (0.12, "slow"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request; ``at_ms`` is when it was read."""

    at_ms: int
    message_id: str
    retried: int
    key: str


@dataclass
class Receiver:
    """``arrivals`` in the order they came; ``done``: keys that need no more attempt; ``reports``: callbacks, by id."""

    script: Script
    url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)
    reports: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    progress: asyncio.Condition = field(default_factory=asyncio.Condition)
    _count: Counter[str] = field(default_factory=Counter)
    _clock: SystemClock = field(default_factory=SystemClock)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = (await request.read()).decode()
        message_id = request.headers["Upstash-Message-Id"]
        if request.path == "/report":
            self.reports.append((message_id, json.loads(body)))
            return web.Response()
        self.arrivals.append(
            Arrival(self._clock.now_ms(), message_id, int(request.headers["Upstash-Retried"]), body),
        )
        self._count[body] += 1
        return await self._answer(request, body, self._count[body])

    async def _answer(self, request: web.BaseRequest, key: str, count: int) -> web.Response:
        what = self.script(key, count)
        if what == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if what == "slow":
            # Time passes here because that is what a slow destination is; nothing is waited for.
            await asyncio.sleep(_SLOW_S)
        status = 500 if what == "500" else 200
        if status == 200 or (kind_of(key) == "doomed" and count >= _DOOMED):
            await self._tell(key)
        return web.Response(status=status)

    async def _tell(self, key: str) -> None:
        async with self.progress:
            self.done.add(key)
            self.progress.notify_all()


def seeded(seed: int) -> Script:
    """A mood that is a function of ``seed``, key and count, whatever the order of the arrivals."""

    def script(key: str, count: int) -> str:
        if kind_of(key) == "doomed":
            return "500"
        draw = zlib.crc32(f"{seed}/{key}/{count}".encode()) / 2**32 if count < _PATIENCE else 1
        return next((what for bound, what in _MOODS if draw < bound), "200")

    return script


def welcome(key: str, count: int) -> str:
    """Success, always."""
    return "200"


@asynccontextmanager
async def receiving(script: Script) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own, on the running loop: no kill of an engine touches it."""
    receiver = Receiver(script)
    runner = web.ServerRunner(web.Server(receiver, handler_cancellation=True), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
        receiver.url = "http://{}:{}".format(*runner.addresses[0])
        yield receiver
    finally:
        await runner.cleanup()
