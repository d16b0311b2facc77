"""Answers that several routes give."""

from __future__ import annotations

import math
from typing import Final

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from qsops import retry
from qsops.wire.delivery import NON_RETRYABLE_HEADER, NON_RETRYABLE_STATUS

__all__ = ["BODY_TOO_LARGE", "UnreadAnswer", "never", "refusal", "too_large", "unavailable", "wait_s"]

BODY_TOO_LARGE: Final = "the body is too large, limit in bytes: {limit}"
#: What Meta and other producers are asked to wait when the database is away; QStash is told by its own curve.
PRODUCER_WAIT_S: Final = 10
_DISCARD_LIMIT: Final = 64 * 1024 * 1024
_DAY_S: Final = retry.MAX_DELAY_MS // 1000


def refusal(status: int, error: str) -> JSONResponse:
    """``{"error": …}``, as QStash itself spells it."""
    return JSONResponse({"error": error}, status)


def never(error: str) -> JSONResponse:
    """489: no retry will mend it, QStash makes it a dead letter at once."""
    return JSONResponse({"error": error}, NON_RETRYABLE_STATUS, {NON_RETRYABLE_HEADER: "true"})


def unavailable(error: str, after_s: int = PRODUCER_WAIT_S, status: int = 503) -> JSONResponse:
    """Not now: 503, or 429, with the seconds to wait."""
    return JSONResponse({"error": error}, status, {"Retry-After": str(after_s)})


def too_large(limit: int) -> UnreadAnswer:
    """413 to a body of which the rest is not read."""
    return UnreadAnswer({"error": BODY_TOO_LARGE.format(limit=limit)}, 413, {"Connection": "close"})


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


class UnreadAnswer(JSONResponse):
    """An answer to a request whose body was not read to its end.

    Closing at once would make the kernel reset the connection, and the reset overtakes the answer: a client that is
    still sending would never see it. So what comes behind the answer is thrown away, up to a bound.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        discarded, more = 0, True
        while more and discarded < _DISCARD_LIMIT:
            message = await receive()
            discarded += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        await send({"type": "http.response.body", "body": b""})
