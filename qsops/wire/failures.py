"""Answers that are no success, as the errors they mean; and the limits that an answer's headers tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from qsops.errors import AuthError, QuotaExceeded, RateLimited, Rejected, ServerFault
from qsops.models import Headers
from qsops.wire.http import Response, header

__all__ = ["BurstLimit", "raise_for_status", "ratelimit"]

_TEXT_LIMIT = 300


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
    return BurstLimit(int(limit), int(remaining), _number(headers, "burst-ratelimit-reset"))


def raise_for_status(response: Response) -> None:
    """Return for a 2xx.

    :raises Rejected: or the one of its kinds that the status means, with the service's own text.
    """
    status = response.status
    if 200 <= status < 300:
        return
    text = _text(response)
    if status in {401, 403}:
        raise AuthError(status, text)
    if status == 412 or (status == 400 and text.startswith("quota ")):
        raise QuotaExceeded(status, text)
    if status == 429:
        raise _rate_limited(text, response.headers)
    if status >= 500:
        raise ServerFault(status, text)
    raise Rejected(status, text)


def _rate_limited(text: str, headers: Headers) -> RateLimited:
    # The two kinds differ by their headers alone; the SDKs tell them apart in the same way.
    if header(headers, "ratelimit-limit") is not None:
        return RateLimited(text, "daily", _number(headers, "ratelimit-reset"))
    return RateLimited(text, "burst", _number(headers, "burst-ratelimit-reset"))


def _text(response: Response) -> str:
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, Mapping) and isinstance(answer.get("error"), str):
        return str(answer["error"])[:_TEXT_LIMIT]
    return response.body[:_TEXT_LIMIT].decode(errors="replace").strip() or "no text"


def _number(headers: Headers, name: str) -> float | None:
    try:
        return float(header(headers, name) or "")
    except ValueError:
        return None
