"""The adapter for pages of the log, of which there may be thousands: over aiohttp, whose reading is in C.

A page of 600 KB takes a quarter of the processor that it takes on httpx. What it costs is a tenth of a second to load,
so that only whoever reads pages should.
"""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from qsops.client.causes import cause_of
from qsops.errors import OutcomeUnknown, SettingsError, Unreachable
from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import Request, Response

__all__ = ["PageTransport"]

_NOTHING_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class PageTransport:
    """The service at ``origin`` (scheme and host), directly: no proxy is looked for. To be made on a running loop.

    ``timeout_s`` bounds each wait for a part of an answer. Redirects are answers like any other. What its errors say is
    the cause alone.
    """

    def __init__(
        self, origin: str, tls: ssl.SSLContext, *, connections: int, connect_timeout_s: float, timeout_s: float
    ) -> None:
        self._origin = origin
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=tls),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=timeout_s, sock_connect=connect_timeout_s, sock_read=timeout_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_once,),
        )

    async def send(self, request: Request) -> Response:
        """As :meth:`~qsops.client.transport.Transport.send`. :raises SettingsError: it cannot be sent."""
        try:
            async with self._session.request(
                request.method,
                # As it is spelled: yarl would escape again.
                URL(self._origin + request.target, encoded=True),
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except _NOTHING_SENT as error:
            raise Unreachable(cause_of(error)) from error
        except (aiohttp.InvalidURL, ValueError) as error:
            raise SettingsError(cause_of(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutcomeUnknown(cause_of(error)) from error
        return Response(answer.status, headers_from_wire(answer.raw_headers), body)

    async def aclose(self) -> None:
        """Hang up all connections."""
        await self._session.close()


async def _once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Whoever asked decides whether to ask again: aiohttp would, and the pace would count one request for two."""
    try:
        return await handler(request)
    except _NOTHING_SENT:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise OutcomeUnknown(cause_of(error)) from error
