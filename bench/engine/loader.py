"""A client that costs little: on each connection one request in flight, and no object or task a request."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bench.engine.http1 import Incomplete, status, take
from bench.engine.process import LOOPBACK, ProcessFailed

__all__ = ["Load", "load"]

_ID = b'"messageId"'
_LIMIT_S = 300.0


@dataclass(slots=True)
class Load:
    """What the server answered; ``accepted`` counts the messages it gave an id."""

    accepted: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    started_s: float = 0.0
    ended_s: float = 0.0

    @property
    def seconds(self) -> float:
        return self.ended_s - self.started_s

    def expect(self, count: int) -> None:
        """:raises ProcessFailed: unless ``count`` messages were accepted, and nothing was refused."""
        if self.accepted != count or set(self.statuses) - {200, 202}:
            raise ProcessFailed(f"{self.accepted} of {count} messages were accepted; answers: {dict(self.statuses)}")


def load(port: int, connections: int, requests: Iterable[bytes]) -> Load:
    """Send all of ``requests`` over ``connections`` kept alive. :raises ProcessFailed: after five minutes."""
    import uvloop

    return uvloop.run(_load(port, connections, iter(requests)))


async def _load(port: int, connections: int, requests: Iterator[bytes]) -> Load:
    loop, told = asyncio.get_running_loop(), Load()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: _Client(requests, told, loop.create_future()), LOOPBACK, port)
        clients.append(client)
    told.started_s = time.monotonic()
    for client in clients:
        client.next()
    try:
        async with asyncio.timeout(_LIMIT_S):
            await asyncio.gather(*(client.done for client in clients))
    except TimeoutError:
        raise ProcessFailed(f"the load is not through after {_LIMIT_S:g} s: {told}") from None
    told.ended_s = time.monotonic()
    return told


class _Client(asyncio.Protocol):
    """One connection: the next request goes out when the last is answered."""

    def __init__(self, requests: Iterator[bytes], told: Load, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._told = told
        self._buffer = bytearray()
        self._waits = False
        self.done = done

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def next(self) -> None:
        """Send the next request, or end."""
        request = next(self._requests, None)
        self._waits = request is not None
        if request is not None:
            self._transport.write(request)
        else:
            self._transport.close()
            self._end(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            head, body, end = take(self._buffer)
        except Incomplete:
            return
        except ValueError as error:
            self._end(ProcessFailed(str(error)))
            return
        del self._buffer[:end]
        self._told.statuses[status(head)] += 1
        self._told.accepted += body.count(_ID)
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits:
            self._end(ProcessFailed(f"the server closed a connection without an answer: {exc}"))

    def _end(self, fault: BaseException | None) -> None:
        if self.done.done():
            return
        if fault is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(fault)
