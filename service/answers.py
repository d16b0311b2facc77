"""Answers that several routes give."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, Final

from fastapi import Response
from starlette.types import Receive, Scope, Send

from qsops import retry
from qsops.wire.delivery import NON_RETRYABLE_HEADER, NON_RETRYABLE_STATUS

__all__ = ["BODY_TOO_LARGE", "Answer", "UnreadAnswer", "never", "refusal", "too_large", "unavailable", "wait_s"]

BODY_TOO_LARGE: Final = "the body is too large, limit in bytes: {limit}"
#: What Meta and other producers are asked to wait when the database is away; QStash is told by its own curve.
PRODUCER_WAIT_S: Final = 10
_DISCARD_LIMIT: Final = 64 * 1024 * 1024
_DISCARD_PATIENCE_S: Final = 30.0
_DAY_S: Final = retry.MAX_DELAY_MS // 1000
# Made once: json.dumps with separators builds an encoder for each call.
_to_json: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Answer(Response):
    """JSON. Made without Starlette's own ``__init__``, since one is made for each delivery.

    It keeps nothing of a request, so that one may serve many.
    """

    def __init__(self, value: Any, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.status_code = status
        self.background = None
        self.body = _to_json(value).encode("utf-8", "surrogatepass")
        length = b"%d" % len(self.body)
        self.raw_headers = [(b"content-length", length), (b"content-type", b"application/json"), *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The list is a copy, since whoever stands between may add to it.
        await send({"type": "http.response.start", "status": self.status_code, "headers": [*self.raw_headers]})
        await send({"type": "http.response.body", "body": self.body})


def refusal(status: int, error: str) -> Answer:
    """``{"error": …}``, as QStash itself spells it."""
    return Answer({"error": error}, status)


def never(error: str) -> Answer:
    """489: no retry will mend it, QStash makes it a dead letter at once."""
    return Answer({"error": error}, NON_RETRYABLE_STATUS, ((NON_RETRYABLE_HEADER.lower().encode(), b"true"),))


def unavailable(error: str, after_s: int = PRODUCER_WAIT_S, status: int = 503) -> Answer:
    """Not now: 503, or 429, with the seconds to wait."""
    return Answer({"error": error}, status, ((b"retry-after", b"%d" % after_s),))


def too_large(limit: int) -> UnreadAnswer:
    """413 to a body of which the rest is not read."""
    return UnreadAnswer({"error": BODY_TOO_LARGE.format(limit=limit)}, 413)


def wait_s(retried: int, retry_delay: str | None, asked_s: float = 0) -> int:
    """Seconds until the next attempt of a message that was retried ``retried`` times before.

    A ``Retry-After`` overrides the message's own curve, so ours never asks for less than the curve would give: else a
    short outage could use up all retries. More than a day is ignored by QStash.
    """
    if retry_delay is None:
        curve_ms = retry.default_delay_ms(retried + 1)
    else:
        curve_ms = retry.compile_expression(retry_delay).delay_ms(retried)
    return min(_DAY_S, math.ceil(max(curve_ms / 1000, asked_s)))


class UnreadAnswer(Answer):
    """An answer to a request whose body was not read to its end, and the end of its connection.

    Closing at once would make the kernel reset the connection, and the reset overtakes the answer: a client that is
    still sending would never see it. So what comes behind the answer is thrown away, up to a bound of size and time.
    """

    def __init__(self, value: Any, status: int) -> None:
        super().__init__(value, status, ((b"connection", b"close"),))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with asyncio.timeout(_DISCARD_PATIENCE_S):
                await _discard(receive)
        except TimeoutError:
            pass  # whoever sends so slowly has had the time to read the answer
        await send({"type": "http.response.body", "body": b""})


async def _discard(receive: Receive) -> None:
    discarded, more = 0, True
    while more and discarded < _DISCARD_LIMIT:
        message = await receive()
        discarded += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
