"""Answers that are no success, as the errors they mean; and the limits that an answer's headers tell."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from qsops.errors import AuthError, QuotaExceeded, RateLimited, Rejected, ServerFault
from qsops.models import Headers
from qsops.wire.http import Response, header

__all__ = ["BurstLimit", "burst_headers", "daily_headers", "raise_for_status", "ratelimit"]

_TEXT_LIMIT: Final = 300
#: A reset before 2001 is no unix time, and one past the year 5138 is in milliseconds.
_EARLIEST_S: Final = 1e9
_LATEST_S: Final = 1e11


@dataclass(frozen=True, slots=True)
class BurstLimit:
    """The per-second limit as an answer's ``Burst-RateLimit-*`` headers tell it; ``reset_at_s`` is unix seconds."""

    limit: int
    remaining: int
    reset_at_s: float | None = None


def ratelimit(headers: Headers) -> BurstLimit | None:
    """The burst limit, if the answer tells one."""
    limit, remaining = _number(headers, "burst-ratelimit-limit"), _number(headers, "burst-ratelimit-remaining")
    if limit is None or remaining is None:
        return None
    return BurstLimit(int(limit), int(remaining), _reset_at_s(headers, "burst-ratelimit-reset"))


def burst_headers(burst: BurstLimit) -> Headers:
    """The opposite of :func:`ratelimit`; the reset is in whole unix seconds."""
    reset = () if burst.reset_at_s is None else (("Burst-RateLimit-Reset", f"{burst.reset_at_s:.0f}"),)
    return (
        ("Burst-RateLimit-Limit", str(burst.limit)),
        ("Burst-RateLimit-Remaining", str(burst.remaining)),
        *reset,
    )


def daily_headers(limit: int, remaining: int, reset_at_s: int) -> Headers:
    """What tells a used-up daily quota from the burst limit (reference, section 1.1)."""
    return (
        ("RateLimit-Limit", str(limit)),
        ("RateLimit-Remaining", str(remaining)),
        ("RateLimit-Reset", str(reset_at_s)),
    )


def raise_for_status(response: Response) -> None:
    """Return for a 2xx.

    :raises Rejected: or the one of its kinds that the status means, with the service's own text. A redirect is one,
        too, since QStash sends none.
    """
    status = response.status
    if 200 <= status < 300:
        return
    text = _text(response)
    if status in {401, 403}:
        raise AuthError(status, text)
    if status == 429:
        raise _rate_limited(text, response.headers)
    if status >= 500:
        raise ServerFault(status, text)
    # The text of a quota is known, but not under which status each comes.
    if status == 412 or (text.startswith("quota ") and " exceeded" in text):
        raise QuotaExceeded(status, text)
    raise Rejected(status, text)


def _rate_limited(text: str, headers: Headers) -> RateLimited:
    # The two kinds differ by their headers alone; the SDKs tell them apart in the same way.
    if header(headers, "ratelimit-limit") is not None:
        return RateLimited(text, "daily", _reset_at_s(headers, "ratelimit-reset"))
    return RateLimited(text, "burst", _reset_at_s(headers, "burst-ratelimit-reset"))


def _text(response: Response) -> str:
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, Mapping) and isinstance(answer.get("error"), str):
        return str(answer["error"])[:_TEXT_LIMIT]
    return " ".join(response.body[:_TEXT_LIMIT].decode(errors="replace").split()) or "no text"


def _reset_at_s(headers: Headers, name: str) -> float | None:
    at = _number(headers, name)
    if at is None or at < _EARLIEST_S:
        return None
    return at / 1000 if at >= _LATEST_S else at


def _number(headers: Headers, name: str) -> float | None:
    try:
        number = float(header(headers, name) or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
