"""The face behind a server: reads what a request may hold, and no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any, Final

from qsops.engine.deliveries.lifespan import AsgiApp
from qsops.engine.face import guard
from qsops.engine.face.failures import error_response, of_rejection
from qsops.engine.face.router import Face
from qsops.engine.texts import INTERNAL_ERROR
from qsops.errors import OutcomeUnknown, Rejected, Unreachable
from qsops.models import Headers
from qsops.wire.header_text import from_wire, headers_from_wire, to_wire
from qsops.wire.http import Request, Response, header

__all__ = ["asgi_app"]

_log = logging.getLogger(__name__)

#: How a socket of both families shows an address of the older one.
_MAPPED: Final = "::ffff:"
#: How long, and how much, of a refused body is thrown away so that its sender can read the answer.
_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 64 * 1024 * 1024


def asgi_app(face: Face, names: guard.Names = guard.LOOPBACK) -> AsgiApp:
    """``face`` as an ASGI application that answers to ``names``, and to the address where a request came in."""

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "the server runs without lifespan and websockets"
        head = _head(scope)
        try:
            guard.check_size(head)
            guard.check(head.headers, names, _address(scope["server"]))
            if not face.is_public(head):
                face.authenticate(head)
            body = await _body(receive, head.headers, *face.body_limit(head))
        except Rejected as error:
            return await _answer_unread(receive, send, of_rejection(error))
        if body is None:
            return None
        caller_ip = _address(scope["client"])
        response = await _handle(face, replace(head, body=body), caller_ip)
        return await (_cut(receive, send) if response is None else _answer(send, response))

    return app


async def _handle(face: Face, request: Request, caller_ip: str) -> Response | None:
    """The answer; None where a fault that was set wants none."""
    try:
        return await face.handle(request, caller_ip)
    except (Unreachable, OutcomeUnknown):
        return None
    except Exception:  # noqa: BLE001  # a fault of ours, which must not end the connection
        # Clients read every answer as JSON. The rest of the path may be a destination with a secret in it.
        _log.exception("%s %s failed", request.method, "/".join(request.path.split("/")[:3]))
        return error_response(500, INTERNAL_ERROR)


def _address(end: tuple[str, int | None] | None) -> str:
    """The address of one end of a connection."""
    return end[0].removeprefix(_MAPPED) if end else ""


def _head(scope: MutableMapping[str, Any]) -> Request:
    headers = headers_from_wire(scope["headers"])
    return Request(scope["method"], from_wire(scope["raw_path"]), from_wire(scope["query_string"]), headers)


async def _body(receive: Any, headers: Headers, limit: int, too_large: str) -> bytes | None:
    """The body; None if the client has gone before its end.

    :raises Rejected: 413, ``too_large``, when it is longer than ``limit`` by what it says of itself, or by what has
        come.
    """
    told = header(headers, "Content-Length")
    if told is not None and told.isdecimal() and int(told) > limit:
        raise Rejected(413, too_large)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            raise Rejected(413, too_large)
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Any, response: Response) -> None:
    await _start(send, response)
    await send({"type": "http.response.body", "body": response.body})


async def _cut(receive: Any, send: Any) -> None:
    """Close the connection without an answer.

    ASGI has no word for that, and uvicorn answers 500 for an application that does not answer. But what sends is a
    method of the request, which knows its connection; once that is closed, uvicorn asks for no answer.
    """
    send.__self__.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        continue


async def _answer_unread(receive: Any, send: Any, response: Response) -> None:
    """Answer a request whose body was not read, and close the connection behind it.

    Closing at once would make the kernel reset the connection, and the reset would overtake the answer: a client that
    is still sending would never see it. So what comes is thrown away for a while.
    """
    await _start(send, response, (b"Connection", b"close"))
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    try:
        async with asyncio.timeout(_LINGER_S):
            await _discard(receive, _LINGER_BYTES)
    except TimeoutError:
        pass  # whoever has not stopped sending by now is cut off
    await send({"type": "http.response.body", "body": b""})


async def _discard(receive: Any, limit: int) -> None:
    size = 0
    while size < limit:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


async def _start(send: Any, response: Response, *more: tuple[bytes, bytes]) -> None:
    headers = [(to_wire(name), to_wire(value)) for name, value in response.headers]
    headers += [(b"Content-Length", str(len(response.body)).encode()), *more]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
