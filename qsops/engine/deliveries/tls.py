"""Deliveries over TLS, on aiohttp."""

from __future__ import annotations

import socket
from io import BytesIO
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
    """

    def __init__(self, connections: int, places: Places) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                keepalive_timeout=KEEP_ALIVE_S,
                resolver=Resolver(places),
                socket_factory=places.socket,
            ),
            # The whole attempt is timed by its caller.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,
        )

    async def __call__(self, delivery: Delivery) -> Outcome:
        try:
            return await self._exchange(delivery)
        except aiohttp.ServerTimeoutError:
            return Outcome(error=f"no connection within {CONNECT_TIMEOUT_S:.0f} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            refused = refusal(error)
            return Outcome(error=str(refused) if refused else f"{type(error).__name__}: {error}")

    async def aclose(self) -> None:
        """Hang up all connections."""
        await self._session.close()

    async def _exchange(self, delivery: Delivery) -> Outcome:
        async with self._session.request(
            delivery.method,
            # As given: yarl would turn %7E into ~ and fold /a/../b.
            URL(spelled(delivery.url), encoded=True),
            headers=delivery.headers,
            data=_payload(delivery.body),
            allow_redirects=False,
        ) as answer:
            body = await _at_most(answer.content, RESPONSE_LIMIT)
            return Outcome(answer.status, headers_from_wire(answer.raw_headers), body)


def refusal(error: BaseException) -> PlaceRefused | None:
    """The refusal behind ``error``, which may be aiohttp's own about it."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return cause if isinstance(cause, PlaceRefused) else None


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
