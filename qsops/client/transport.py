"""How a request reaches QStash: the port, and its adapter over HTTP."""

from __future__ import annotations

from typing import Final, Protocol

import httpx

from qsops.config.addresses import is_loopback
from qsops.errors import OutcomeUnknown, ReadOnly, SettingsError, Unreachable
from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import Request, Response

__all__ = ["HttpTransport", "ReadOnlyTransport", "Transport"]

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0
MAX_CONNECTIONS: Final = 32

# Before these nothing of the request has left; every other fault of a connection may have come after it took effect.
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_OUR_MISTAKE = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class Transport(Protocol):
    """What carries one request to QStash and its answer back.

    :raises Unreachable: nothing was sent.
    :raises OutcomeUnknown: the request left, the answer was lost.
    """

    async def send(self, request: Request) -> Response:
        """Send ``request`` once, whatever it answers: a status is no error here."""
        ...

    async def aclose(self) -> None:
        """Give back connections; closing twice is harmless."""
        ...


class HttpTransport:
    """QStash at ``base_url``, on httpx. ``timeout_s`` bounds the wait for an answer, not the whole upload.

    Redirects are answers like any other. Proxies of the environment are honoured, but never for loopback.
    ``if_unreachable`` is what to do then, said with the error.
    """

    def __init__(self, base_url: str, timeout_s: float = ANSWER_TIMEOUT_S, if_unreachable: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._if_unreachable = f"; {if_unreachable}" if if_unreachable else ""
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            trust_env=not is_loopback(_url(self._base_url).host),
        )

    async def send(self, request: Request) -> Response:
        if not request.target.isascii():
            raise SettingsError(f"{_noun(request.path)}: what follows must be escaped, it is not ASCII")
        try:
            answer = await self._http.request(
                request.method,
                self._base_url,
                headers=[(name.encode(), value.encode()) for name, value in request.headers],
                content=request.body,
                # The target goes out as it stands: httpx would fold `/a/../b` and escape again, and the
                # destination in a publish path is part of what is signed.
                extensions={"target": request.target.encode("ascii")},
            )
        except _NOTHING_SENT as error:
            raise Unreachable(f"no connection to {self._base_url}: {_cause(error)}{self._if_unreachable}") from error
        except _OUR_MISTAKE as error:
            raise SettingsError(f"a request to {self._base_url} cannot be sent: {_cause(error)}") from error
        except httpx.RequestError as error:
            lost = f"{request.method} to {self._base_url} was sent, but its answer was lost: {_cause(error)}"
            raise OutcomeUnknown(lost) from error
        return Response(answer.status_code, headers_from_wire(answer.headers.raw), answer.content)

    async def aclose(self) -> None:
        await self._http.aclose()


class ReadOnlyTransport:
    """A transport that refuses whatever is no GET, so that no path around the client can write."""

    def __init__(self, inner: Transport, target: str) -> None:
        self._inner = inner
        self._target = target

    async def send(self, request: Request) -> Response:
        if request.method != "GET":
            raise ReadOnly(
                f"the session on {self._target!r} only reads: open it with write=True (command: --write) "
                f"to {request.method} {_noun(request.path)}"
            )
        return await self._inner.send(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise SettingsError(f"QSTASH_URL: {text!r} is no URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise SettingsError(f"QSTASH_URL: {text!r} is no URL: it needs http:// or https:// and a host")
    return url


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _noun(path: str) -> str:
    """The first two steps of a path: what comes after may be a destination with a secret in it."""
    return "/".join(path.split("/")[:3])
