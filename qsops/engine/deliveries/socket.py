"""Deliveries over sockets, on aiohttp."""

from __future__ import annotations

from io import BytesIO
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.port import RESPONSE_LIMIT, Delivery
from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import spelled

__all__ = ["SocketDeliveries"]

_CONNECT_TIMEOUT_S: Final = 10.0
#: Under the five seconds after which common servers hang up: what is sent into a closing connection fails.
_KEEP_ALIVE_S: Final = 4.0
_AT_ONCE: Final = 64 * 1024
_NOT_ADDED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class SocketDeliveries:
    """An async context manager that delivers over HTTP; at most ``connections`` are open at a time.

    URLs go out as encoded, redirects are answers like any other, and no header is added but those that HTTP demands.
    """

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_KEEP_ALIVE_S),
            # The whole attempt is timed by its caller.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def __call__(self, delivery: Delivery) -> Outcome:
        assert self._session is not None, "enter the context first"
        try:
            async with self._session.request(
                delivery.method,
                _as_given(delivery.url),
                headers=delivery.headers,
                data=_payload(delivery.body),
                allow_redirects=False,
            ) as answer:
                body = await _at_most(answer.content, RESPONSE_LIMIT)
                return Outcome(answer.status, headers_from_wire(answer.raw_headers), body)
        except aiohttp.ServerTimeoutError:
            return Outcome(error=f"no connection within {_CONNECT_TIMEOUT_S:.0f} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(error=f"{type(error).__name__}: {error}")


def _payload(body: bytes) -> bytes | BytesIO | None:
    """A large body as a file, which aiohttp sends in portions: written at once it would hold up the loop."""
    if len(body) > _AT_ONCE:
        return BytesIO(body)
    return body or None


def _as_given(url: str) -> URL:
    """The URL untouched (yarl would turn ``%7E`` into ``~`` and fold ``/a/../b``), but for text that is not ASCII."""
    return URL(spelled(url), encoded=True)


async def _at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk[: limit - len(body)]
        if len(body) >= limit:
            break
    return bytes(body)
