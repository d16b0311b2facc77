"""The body of a request: bounded in size and in time, and only as it is."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.answers import Answer, UnreadAnswer, too_large
from service.deadline import CutOff, within

__all__ = ["BODY_PATIENCE_S", "COMPRESSED", "TOO_SLOW", "BodyRefused", "read_body"]

#: For the whole of it: QStash gives an attempt no longer, and Meta no more than seconds.
BODY_PATIENCE_S: Final = 30.0
TOO_SLOW: Final = "the body did not come within {limit:g} s"
COMPRESSED: Final = "Content-Encoding must be identity: what is signed are the bytes as they are sent"


class BodyRefused(Exception):
    """The body is not read, or not to its end; ``answer`` says why: 408, 413 or 415."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body of at most ``limit`` bytes.

    :raises BodyRefused: as soon as it is known to be too large, too slow or compressed.
    :raises ClientDisconnect: when the sender goes away.
    """
    told = 0
    for name, value in request.scope["headers"]:
        if name == b"content-length":
            told = int(value) if value.isdigit() else 0
        elif name == b"content-encoding" and value.strip().lower() not in (b"identity", b""):
            raise BodyRefused(UnreadAnswer({"error": COMPRESSED}, 415))
    if told > limit:
        raise BodyRefused(too_large(limit))
    try:
        return await within(BODY_PATIENCE_S, _read(request, limit))
    except CutOff:
        error = {"error": TOO_SLOW.format(limit=BODY_PATIENCE_S)}
        raise BodyRefused(Answer(error, 408, ((b"connection", b"close"),))) from None


async def _read(request: Request, limit: int) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyRefused(too_large(limit))
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
