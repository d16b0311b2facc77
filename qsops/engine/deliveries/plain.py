"""Deliveries over plain HTTP, on connections that are kept."""

from __future__ import annotations

import asyncio
import math
from base64 import b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.connection import Connection
from qsops.engine.deliveries.places import Places
from qsops.engine.deliveries.port import CONNECT_TIMEOUT_S, KEEP_ALIVE_S, Delivery
from qsops.wire.header_text import to_wire
from qsops.wire.http import header, spelled

__all__ = ["PlainDeliveries"]

_PORT: Final = 80
#: Methods whose request says how long its body is even when there is none.
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a URL leads, and how that is said in a request; ``login`` is for the Authorization header."""

    host: str
    port: int
    host_header: str
    target: str
    login: str | None = field(default=None, repr=False)


class PlainDeliveries:
    """Delivers to ``http://`` URLs; as many connections are kept open and unused as ``idle`` says.

    How many are under way is the caller's business. A request is sent once, with one exception: if a kept connection
    ends before a byte of an answer, its destination was most likely about to hang up and never read the request, which
    is sent once more, on a fresh connection. Any other connection that ends under it is an outcome, whatever the
    destination had read by then.
    """

    def __init__(self, idle: int, places: Places) -> None:
        self._idle_limit = idle
        self._places = places
        #: By place, the one last used last, each with the time it was put back.
        self._idle: dict[tuple[str, int], list[tuple[float, Connection]]] = {}
        self._idle_count = 0
        self._sweeping: asyncio.TimerHandle | None = None

    async def __call__(self, delivery: Delivery) -> Outcome:
        place = _place(delivery.url)
        request = _head(delivery, place) + delivery.body
        kept = self._take(place)
        connection = kept or await self._connect(place)
        try:
            outcome = await connection.exchange(request)
        except ConnectionError:
            if kept is None or kept.heard:
                raise
            connection = await self._connect(place)
            outcome = await connection.exchange(request)
        if connection.reusable:
            self._keep(place, connection)
        return outcome

    def close(self) -> None:
        """Hang up all that is kept."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._hang_up(before_s=math.inf)

    def _take(self, place: _Place) -> Connection | None:
        kept = self._idle.get((place.host, place.port))
        if not kept:
            return None
        since_s = asyncio.get_running_loop().time() - KEEP_ALIVE_S
        while kept:
            put_back_s, connection = kept.pop()
            self._idle_count -= 1
            if put_back_s <= since_s:
                connection.close()
            elif connection.reusable:
                return connection
        return None

    async def _connect(self, place: _Place) -> Connection:
        loop = asyncio.get_running_loop()
        fault: OSError | None = None
        for address in await self._places.resolve(place.host):
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    _, connection = await loop.create_connection(Connection, address, place.port)
                return connection
            except OSError as error:  # TimeoutError is one
                fault = error
        raise ConnectionError(_why(fault, place)) from fault

    def _keep(self, place: _Place, connection: Connection) -> None:
        if self._idle_count >= self._idle_limit:
            return connection.close()
        loop = asyncio.get_running_loop()
        self._idle.setdefault((place.host, place.port), []).append((loop.time(), connection))
        self._idle_count += 1
        if self._sweeping is None:
            self._sweeping = loop.call_later(KEEP_ALIVE_S, self._sweep)
        return None

    def _sweep(self) -> None:
        """Hang up what was not used for a while, and come back as long as something is kept."""
        loop = asyncio.get_running_loop()
        self._hang_up(before_s=loop.time() - KEEP_ALIVE_S)
        self._sweeping = loop.call_later(KEEP_ALIVE_S, self._sweep) if self._idle_count else None

    def _hang_up(self, before_s: float) -> None:
        for key, kept in [*self._idle.items()]:
            for since_s, connection in kept:
                if since_s <= before_s:
                    connection.close()
            self._idle[key] = [(since_s, connection) for since_s, connection in kept if since_s > before_s]
            if not self._idle[key]:
                del self._idle[key]
        self._idle_count = sum(map(len, self._idle.values()))


def _why(fault: OSError | None, place: _Place) -> str:
    if isinstance(fault, TimeoutError):
        return f"no connection within {CONNECT_TIMEOUT_S:.0f} s"
    return f"no connection to {place.host_header}: {fault}"


@lru_cache(maxsize=1_024)
def _place(url: str) -> _Place:
    parts = urlsplit(spelled(url))
    if not parts.hostname:
        raise ValueError(f"the URL names no host: {url[:100]!r}")
    user, _, host_header = parts.netloc.rpartition("@")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query or url.endswith("?") else "")
    login = b64encode(unquote(user).encode()).decode() if user else None
    return _Place(parts.hostname, parts.port or _PORT, host_header, target, login)


def _head(delivery: Delivery, place: _Place) -> bytes:
    """The request's head.

    :raises ValueError: when a header would be more than one line.
    """
    lines = [f"{delivery.method} {place.target} HTTP/1.1", f"Host: {place.host_header}"]
    if place.login is not None and header(delivery.headers, "Authorization") is None:
        lines.append(f"Authorization: Basic {place.login}")
    lines += [f"{name}: {value}" for name, value in delivery.headers]
    if delivery.body or delivery.method in _WITH_BODY:
        lines.append(f"Content-Length: {len(delivery.body)}")
    head = "\r\n".join(lines)
    # A line break within a header would begin another one.
    if not (head.count("\n") == head.count("\r") == len(lines) - 1) or "\0" in head:
        raise ValueError("a header is more than one line, or holds a NUL")
    return to_wire(head + "\r\n\r\n")
