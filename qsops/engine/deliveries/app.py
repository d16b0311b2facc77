"""Deliveries straight into an ASGI application of this process."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.lifespan import AsgiApp, Lifespan
from qsops.engine.deliveries.port import RESPONSE_LIMIT, Delivery
from qsops.wire.header_text import headers_from_wire, to_wire

__all__ = ["AppDeliveries"]

_PORTS: Final = {"http": 80, "https": 443}
_CLIENT: Final = ("127.0.0.1", 0)


class AppDeliveries:
    """Delivers into ``app``. What a server would do with a fault in it, is done here: 500, or a broken answer.

    Its lifespan begins with the first delivery and ends with :meth:`aclose`.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._lifespan = Lifespan(app)

    async def aclose(self) -> None:
        """Let the application shut down."""
        await self._lifespan.stop()

    async def __call__(self, delivery: Delivery) -> Outcome:
        await self._lifespan.start()
        exchange = _Exchange(delivery.body)
        try:
            await self._app(_scope(delivery, self._lifespan.state), exchange.receive, exchange.send)
        except Exception as error:  # noqa: BLE001  # whatever a stranger's application raises
            if exchange.status is None:
                return Outcome(500, (("content-type", "text/plain"),), b"Internal Server Error")
            if not exchange.complete:
                return Outcome(error=f"connection closed within the answer: {type(error).__name__}")
        if exchange.status is None or not exchange.complete:
            return Outcome(error="connection closed without a whole answer")
        return Outcome(exchange.status, exchange.headers, bytes(exchange.body))


class _Exchange:
    """One request and its answer, in the messages of ASGI."""

    def __init__(self, body: bytes) -> None:
        self._request: bytes | None = body
        self._finished = asyncio.Event()
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.complete = False

    async def receive(self) -> MutableMapping[str, Any]:
        if self._request is not None:
            body, self._request = self._request, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._finished.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = headers_from_wire(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")[: RESPONSE_LIMIT - len(self.body)]
            if not message.get("more_body", False):
                self.complete = True
                self._finished.set()


def _scope(delivery: Delivery, state: dict[str, Any]) -> dict[str, Any]:
    place = urlsplit(delivery.url)
    raw_path = place.path or "/"
    headers = [(to_wire(name.lower()), to_wire(value)) for name, value in delivery.headers]
    headers = [(b"host", place.netloc.rpartition("@")[2].encode()), *headers]
    if delivery.body:
        headers.append((b"content-length", str(len(delivery.body)).encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": delivery.method,
        "scheme": place.scheme,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": place.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": _CLIENT,
        "server": (place.hostname or "", place.port or _PORTS[place.scheme]),
        "state": dict(state),
    }
