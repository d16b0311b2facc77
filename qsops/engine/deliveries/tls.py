"""Deliveries over TLS, on aiohttp."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import aiohttp
from yarl import URL

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.places import Places, Resolver
from qsops.engine.deliveries.port import CONNECT_TIMEOUT_S, KEEP_ALIVE_S, RESPONSE_LIMIT, Delivery
from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import spelled

__all__ = ["TlsDeliveries"]

_AT_ONCE: Final = 64 * 1024
_NOT_ADDED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


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

    async def aclose(self) -> None:
        """Hang up all connections."""
        await self._session.close()


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
