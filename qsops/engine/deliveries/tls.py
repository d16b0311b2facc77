"""Deliveries over TLS, on aiohttp."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.places import PlaceRefused, Places
from qsops.engine.deliveries.port import CONNECT_TIMEOUT_S, KEEP_ALIVE_S, RESPONSE_LIMIT, Delivery
from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import spelled

__all__ = ["Resolver", "TlsDeliveries", "refusal"]

_AT_ONCE: Final = 64 * 1024
_NOT_ADDED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
#: What comes of a connection that ends before the head of an answer.
_ENDED: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)


@dataclass(slots=True)
class _Way:
    """How a request went: whether over a connection that was kept, and whether an answer has begun."""

    kept: bool = False
    answered: bool = False


class Resolver(AbstractResolver):
    """``places`` as aiohttp asks for names."""

    def __init__(self, places: Places) -> None:
        self._places = places

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [_result(host, address, port) for address in await self._places.resolve(host)]

    async def close(self) -> None:
        """Nothing is held open."""


class TlsDeliveries:
    """Delivers to ``https://`` URLs; at most ``connections`` are open at a time. To be made on a running loop.

    URLs go out as encoded, redirects are answers like any other, and no header is added but those that HTTP demands.
    What was sent over a kept connection that ended before an answer began is sent once more, over a fresh one, beside
    those ``connections``; what HTTP calls idempotent aiohttp repeats by itself, too.
    """

    def __init__(self, connections: int, places: Places) -> None:
        self._connections = connections
        self._places = places
        self._session = self._opened()
        self._fresh: aiohttp.ClientSession | None = None

    def _opened(self, *, keeping: bool = True) -> aiohttp.ClientSession:
        noting = aiohttp.TraceConfig()
        noting.on_connection_reuseconn.append(_note_kept)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections,
                keepalive_timeout=KEEP_ALIVE_S if keeping else None,
                force_close=not keeping,
                resolver=Resolver(self._places),
                socket_factory=self._places.socket,
            ),
            # The whole attempt is timed by its caller.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,
            trace_configs=[noting],
        )

    async def __call__(self, delivery: Delivery) -> Outcome:
        try:
            return await self._delivered(delivery)
        except aiohttp.ServerTimeoutError:
            return Outcome(error=f"no connection within {CONNECT_TIMEOUT_S:.0f} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            refused = refusal(error)
            return Outcome(error=str(refused) if refused else f"{type(error).__name__}: {error}")

    async def aclose(self) -> None:
        """Hang up all connections."""
        await self._session.close()
        if self._fresh is not None:
            await self._fresh.close()

    async def _delivered(self, delivery: Delivery) -> Outcome:
        way = _Way()
        try:
            return await _exchange(self._session, delivery, way)
        except _ENDED:
            if not way.kept or way.answered:
                raise
        if self._fresh is None:
            self._fresh = self._opened(keeping=False)
        return await _exchange(self._fresh, delivery, _Way())


def refusal(error: BaseException) -> PlaceRefused | None:
    """The refusal behind ``error``, which may be aiohttp's own about it."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return cause if isinstance(cause, PlaceRefused) else None


async def _exchange(session: aiohttp.ClientSession, delivery: Delivery, way: _Way) -> Outcome:
    async with session.request(
        delivery.method,
        # As given: yarl would turn %7E into ~ and fold /a/../b.
        URL(spelled(delivery.url), encoded=True),
        headers=delivery.headers,
        data=_payload(delivery.body),
        allow_redirects=False,
        trace_request_ctx=way,
    ) as answer:
        way.answered = True
        body = await _at_most(answer.content, RESPONSE_LIMIT)
        return Outcome(answer.status, headers_from_wire(answer.raw_headers), body)


async def _note_kept(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.kept = True


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


def _payload(body: bytes) -> bytes | BytesIO | None:
    """A large body as a file, which aiohttp sends in portions: written at once it would hold up the loop."""
    if len(body) > _AT_ONCE:
        return BytesIO(body)
    return body or None


async def _at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk[: limit - len(body)]
        if len(body) >= limit:
            break
    return bytes(body)
