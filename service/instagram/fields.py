"""Single values out of Meta's JSON, whatever came instead of them: a surprise is None, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["integer", "moment", "obj", "text"]

_INT64_MAX: Final = 2**63 - 1
# Seconds until the year 5138, or milliseconds since 1973: Meta sends both, and says so only by size.
_FIRST_MILLISECONDS: Final = 100_000_000_000


def obj(value: Any) -> Mapping[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str | None:
    """``value`` as text that any database can store: ids may come as numbers, emoji as halves of a pair."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        is_id = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _INT64_MAX
        return str(value) if is_id else None
    if value.isascii() and "\0" not in value:
        return value
    return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def integer(value: Any) -> int | None:
    """``value`` as a whole number of at most 64 bits; Meta's Test button sends numbers as text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, str) and not (len(value) < 20 and value.isascii() and value.lstrip("-").isdigit()):
        return None
    try:
        number = int(value)
    except ValueError:  # "--1"
        return None
    return number if abs(number) <= _INT64_MAX else None


def moment(value: Any) -> datetime | None:
    """Unix seconds or milliseconds, as a number or as text, as a UTC time. 0 means that Meta did not say."""
    number = integer(value)
    if number is None or number <= 0:
        return None
    try:
        return datetime.fromtimestamp(number / 1000 if number >= _FIRST_MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):  # a year that datetime does not have
        return None
