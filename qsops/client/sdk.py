"""The official SDK over our transport, for what has no verb of ours: its classes and names, our wiring and guards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httpx
from qstash import QStash

from qsops.wire.header_text import headers_from_wire
from qsops.wire.http import Request, Response

__all__ = ["sdk"]

Send = Callable[[Request], Response]

# What belongs to one connection, and is made anew by whoever holds the next.
_HOP: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})
_ANSWER_HOP: Final = _HOP | {"content-encoding"}


def sdk(send: Send, token: str) -> QStash:
    """The SDK's sync client, each request of which goes through ``send``. It does not repeat by itself.

    Its ``log.list`` prints every page to stdout (3.4.0), and its errors hide the status: prefer the session's verbs.
    """
    # The address is never looked up; it only has to be one.
    client = QStash(token, retry=False, base_url="http://qstash.invalid")
    # The SDK has no way to be given a transport, so the httpx client inside of it is exchanged.
    client.http._client.close()
    client.http._client = httpx.Client(transport=_Through(send))
    return client


class _Through(httpx.BaseTransport):
    def __init__(self, send: Send) -> None:
        self._send = send

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._send(_asked(request))
        headers = [(name, value) for name, value in answer.headers if name.lower() not in _ANSWER_HOP]
        return httpx.Response(answer.status, headers=headers, content=answer.body)


def _asked(request: httpx.Request) -> Request:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    headers = tuple(pair for pair in headers_from_wire(request.headers.raw) if pair[0].lower() not in _HOP)
    return Request(request.method, path, query, headers, request.read())
