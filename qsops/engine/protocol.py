"""HTTP below the application: a head that does not end is cut off, and what is no HTTP is answered as JSON, too."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from qsops.engine.face.guard import HEAD_LIMIT, TARGET_LIMIT
from qsops.engine.texts import MALFORMED_REQUEST, head_too_large, target_too_long

__all__ = ["http_protocol"]

#: How long what is still sent after a refusal is thrown away.
_LINGER_S: Final = 2.0
_REASONS: Final = {400: "Bad Request", 414: "URI Too Long", 431: "Request Header Fields Too Large"}


class _Refusing(asyncio.Protocol):
    """What uvicorn answers by itself, in the one form of every error; what is still sent then is thrown away.

    Closing at once would make the kernel reset the connection, and the reset would overtake the answer.
    """

    transport: Any
    loop: asyncio.AbstractEventLoop
    _refused = False

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        if not self._refused:
            self._refuse(400, MALFORMED_REQUEST)

    def _refuse(self, status: int, text: str) -> None:
        body = json.dumps({"error": text}).encode()
        lines = (
            f"HTTP/1.1 {status} {_REASONS[status]}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        self._refused = True
        self.transport.write("\r\n".join((*lines, "", "")).encode() + body)
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)


class _H11(_Refusing, H11Protocol):
    """h11 has a limit of its own, which the server sets."""

    def send_400_response(self, msg: str) -> None:
        unread, _ = self.conn.trailing_data
        if len(unread) > HEAD_LIMIT:
            self._refuse(431, head_too_large(HEAD_LIMIT))
        else:
            super().send_400_response(msg)


def _httptools() -> type[asyncio.Protocol]:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class Bounded(_Refusing, HttpToolsProtocol):
        """httptools has no limit: what belongs to a head that has not ended is counted here."""

        _in_head = False
        _head_bytes = 0

        def on_message_begin(self) -> None:
            self._in_head, self._head_bytes = True, 0
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._in_head = False
            if len(self.url) > TARGET_LIMIT:  # httptools cannot take apart one much longer, and calls it no HTTP
                self._refuse(414, target_too_long(TARGET_LIMIT))
                raise ValueError("target too long")
            super().on_headers_complete()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._in_head and not self._refused:
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_LIMIT:
                    self._refuse(431, head_too_large(HEAD_LIMIT))

    return Bounded


def http_protocol() -> type[asyncio.Protocol]:
    """httptools where it is installed, else h11, as uvicorn itself chooses."""
    try:
        return _httptools()
    except ImportError:
        return _H11
