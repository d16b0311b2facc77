"""The two spellings of a duration: QStash's ``1d10h30m`` in requests, Go's ``6m5.5s`` in rate-limit answers."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LONGEST_S", "format_duration", "parse_duration", "parse_go_duration"]

#: Some three hundred years: past every plan's limit, and far from where the numbers of a database end.
LONGEST_S: Final = 10**10

_UNITS_S: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_GO_UNITS_S: Final = {"h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"([0-9]{1,12})([smhd])")
_GO_PART: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> int:
    """Seconds of ``text``: one or more ``<int><unit>``, units s, m, h, d, at most LONGEST_S.

    :raises ValueError: naming the text.
    """
    value = text.strip()
    parts = _PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError(f"{text[:100]!r} is no duration; write <number><s|m|h|d>, e.g. 90s or 1d10h30m")
    seconds = sum(int(number) * _UNITS_S[unit] for number, unit in parts)
    if seconds > LONGEST_S:
        raise ValueError(f"{text[:100]!r} is too long: at most {LONGEST_S} seconds")
    return seconds


def format_duration(seconds: int) -> str:
    """The shortest spelling of whole ``seconds``, e.g. ``1d10h30m``. :raises ValueError: below zero."""
    if seconds < 0:
        raise ValueError(f"a duration is never negative, got {seconds} s")
    text, rest = "", seconds
    for unit, size in _UNITS_S.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_go_duration(text: str) -> float:
    """Seconds of a Go-style duration without a sign, e.g. ``6m5s``, ``1.5s``, ``200ms``; ``0`` needs no unit.

    :raises ValueError: naming the text.
    """
    value = text.strip()
    if value == "0":
        return 0.0
    parts = _GO_PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError(f"{text[:100]!r} is no Go-style duration, e.g. 6m5s or 200ms")
    return sum(float(number) * _GO_UNITS_S[unit] for number, unit in parts)
