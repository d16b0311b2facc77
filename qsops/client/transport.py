"""How a request reaches QStash: the port, and its adapter over HTTP."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, Protocol
from urllib.request import getproxies

import httpx

from qsops.client.causes import cause_of
from qsops.config.addresses import is_loopback
from qsops.errors import OutcomeUnknown, ReadOnly, SettingsError, Unreachable
from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import Request, Response
from qsops.wire.logs import EVENTS_PATH, LOGS_PATH

__all__ = ["HttpTransport", "ReadOnlyTransport", "Transport"]

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0
MAX_CONNECTIONS: Final = 32

_LISTINGS: Final = frozenset({EVENTS_PATH, LOGS_PATH})
#: Under these the environment names a proxy for us.
_PROXIED: Final = frozenset({"http", "https", "all"})
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

    Pages of the log come over aiohttp where that is installed and no proxy is set (:mod:`qsops.client.pages`).
    Redirects are answers like any other. Proxies of the environment are honoured, but never for loopback.
    ``if_unreachable`` is what to do then, said with the error.
    """

    def __init__(self, base_url: str, timeout_s: float = ANSWER_TIMEOUT_S, if_unreachable: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._if_unreachable = f"; {if_unreachable}" if if_unreachable else ""
        url = _url(self._base_url)
        trusts_env = not is_loopback(url.host)
        self._origin = f"{url.scheme}://{url.netloc.decode()}"
        self._timeout_s = timeout_s
        self._tls = httpx.create_ssl_context(trust_env=trusts_env)
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            trust_env=trusts_env,
            verify=self._tls,
        )
        has_proxy = trusts_env and not _PROXIED.isdisjoint(getproxies())
        self._may_page = find_spec("aiohttp") is not None and not has_proxy and not url.userinfo
        self._pages: Transport | None = None

    async def send(self, request: Request) -> Response:
        if not request.target.isascii():
            raise SettingsError(f"{_noun(request.path)}: what follows must be escaped, it is not ASCII")
        is_page = self._may_page and request.method == "GET" and request.path in _LISTINGS
        try:
            return await (self._paging().send(request) if is_page else self._exchange(request))
        except Unreachable as error:
            said = f"no connection to {self._base_url}: {error}{self._if_unreachable}"
            raise Unreachable(said) from error.__cause__
        except SettingsError as error:
            raise SettingsError(f"a request to {self._base_url} cannot be sent: {error}") from error.__cause__
        except OutcomeUnknown as error:
            lost = f"{request.method} to {self._base_url} was sent, but its answer was lost: {error}"
            raise OutcomeUnknown(lost) from error.__cause__

    async def aclose(self) -> None:
        await self._http.aclose()
        if self._pages is not None:
            await self._pages.aclose()

    async def _exchange(self, request: Request) -> Response:
        """Over httpx; errors say the cause alone."""
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
            raise Unreachable(cause_of(error)) from error
        except _OUR_MISTAKE as error:
            raise SettingsError(cause_of(error)) from error
        except httpx.RequestError as error:
            raise OutcomeUnknown(cause_of(error)) from error
        return Response(answer.status_code, headers_from_wire(answer.headers.raw), answer.content)

    def _paging(self) -> Transport:
        if self._pages is None:
            # Takes a tenth of a second to load.
            from qsops.client.pages import PageTransport

            self._pages = PageTransport(
                self._origin,
                self._tls,
                connections=MAX_CONNECTIONS,
                connect_timeout_s=min(CONNECT_TIMEOUT_S, self._timeout_s),
                timeout_s=self._timeout_s,
            )
        return self._pages


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


def _noun(path: str) -> str:
    """The first two steps of a path: what comes after may be a destination with a secret in it."""
    return "/".join(path.split("/")[:3])
