"""When the destination asks for its next attempt, by a header of its answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from qsops.models import Headers
from qsops.retry.curve import MAX_DELAY_MS
from qsops.wire.durations import parse_go_duration
from qsops.wire.http import header

__all__ = ["DELAY_HEADERS", "requested_delay_ms"]

#: In the order in which they are asked here; the vendor lists them so, and documents no precedence.
DELAY_HEADERS: Final = ("Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens")

# An answer comes from a stranger: nothing that is longer than any sane value is even looked at.
_MAX_LENGTH: Final = 64
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{1,2}) (" + "|".join(_MONTHS) + r") ([0-9]{4})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) (?:GMT|UTC)"
)


def requested_delay_ms(headers: Headers, now_ms: int) -> int | None:
    """The wait in milliseconds that an answer asks for, or None if it asks for none that can be followed.

    A value is in seconds, an RFC 1123 date, or a Go duration (``6m5s``); 0 and a date in the past mean at once. What
    cannot be read, is negative, or is more than a day, is passed over as if the header were not there.
    """
    for name in DELAY_HEADERS:
        value = header(headers, name)
        if value is not None and (delay_ms := _delay_ms(value.strip(), now_ms)) is not None:
            return delay_ms
    return None


def _delay_ms(value: str, now_ms: int) -> int | None:
    if len(value) > _MAX_LENGTH:
        return None
    try:
        delay_ms = _read_ms(value, now_ms)
    except ValueError:
        return None
    return round(delay_ms) if 0 <= delay_ms <= MAX_DELAY_MS else None


def _read_ms(value: str, now_ms: int) -> float:
    if _SECONDS.fullmatch(value):
        return float(value) * 1000
    if date := _DATE.fullmatch(value):
        day, month, year, hour, minute, second = date.groups()
        at = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        return max(0, round(at.timestamp()) * 1000 - now_ms)
    return parse_go_duration(value) * 1000
