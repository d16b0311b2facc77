"""One HTTP/1.1 connection to a destination, on httptools: a request goes out, its answer comes back.

By hand because it stands on the engine's hot path: a general client takes four times as long for each request.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

import httptools

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.port import RESPONSE_LIMIT
from qsops.wire.header_text import headers_from_wire

__all__ = ["Connection"]

#: The largest head of an answer, all headers together.
_HEAD_LIMIT: Final = 64 * 1024
_SWITCHING: Final = 101
_FINAL: Final = 200
_FRAMED: Final = frozenset({b"content-length", b"transfer-encoding"})


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; ``reusable`` says whether another may follow.

    ``heard``: at least one byte came in the latest exchange.
    """

    def __init__(self) -> None:
        self.heard = False
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[Outcome] | None = None
        self._closed = False
        self._keep = False
        self._framed = False
        self._clear()

    @property
    def reusable(self) -> bool:
        """Whether the last answer is whole, and both sides keep the connection."""
        return self._keep and not self._closed

    async def exchange(self, request: bytes) -> Outcome:
        """Send ``request``, head and body, and wait for the answer; whoever is cancelled meanwhile closes this.

        :raises ConnectionError: when the connection ends before the answer does, or what comes is no HTTP.
        """
        self.heard = False
        if self._transport is None or self._closed:
            raise ConnectionResetError("connection closed")
        self._clear()
        self._keep = False
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answered
        finally:
            if not self.reusable:
                self.close()

    def close(self) -> None:
        """Hang up; what waits to be sent is thrown away."""
        self._closed = True
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A stream's transport, though uvloop's is no child of that class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answered is None or self._answered.done():
            return self.close()  # nobody asked
        self.heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return self._fail("the destination switched protocols")
        except httptools.HttpParserError as error:
            return self._fail(f"the answer is no HTTP: {error}")
        if self._head_size > _HEAD_LIMIT:
            return self._fail(f"the answer's head is larger than {_HEAD_LIMIT} bytes")
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        if self._head_complete and not self._framed:
            self._finish()  # such an answer ends with its connection
        else:
            self._fail("connection closed within the answer" if self._status else "connection closed without an answer")

    # What httptools calls.

    def on_message_begin(self) -> None:
        if self._answered is not None and self._answered.done():
            self._keep = False  # more than was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        self._headers.append((name, value))
        self._framed = self._framed or name.lower() in _FRAMED

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._head_complete = self._status >= _FINAL

    def on_body(self, body: bytes) -> None:
        self._body += body[: RESPONSE_LIMIT - len(self._body)]
        if len(self._body) >= RESPONSE_LIMIT:
            self._finish()

    def on_message_complete(self) -> None:
        if self._status == _SWITCHING:
            return None  # the parser gives up then
        if self._status < _FINAL:
            return self._clear()  # e.g. 103: the answer proper follows
        if self._answered is not None and not self._answered.done():
            self._keep = self._parser.should_keep_alive()
        return self._finish()

    def _clear(self) -> None:
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._head_complete = False
        self._framed = False
        self._body = bytearray()

    def _finish(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(Outcome(self._status, headers_from_wire(self._headers), bytes(self._body)))

    def _fail(self, why: str) -> None:
        self._keep = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionResetError(why))
        self.close()
