"""The value of one option; what cannot be read is a ValueError that says what it should be."""

from __future__ import annotations

import re
from typing import Final

from qsops.errors import Rejected
from qsops.models import FlowControl
from qsops.retry import compile_expression
from qsops.wire import texts
from qsops.wire.durations import format_duration, parse_duration
from qsops.wire.names import LABELS_LIMIT, NAME_LIMIT, bounded, check_name

__all__ = [
    "LONGEST_PERIOD_S",
    "METHODS",
    "decode_deduplication_id",
    "decode_duration",
    "decode_expression",
    "decode_flag",
    "decode_flow_limits",
    "decode_labels",
    "decode_method",
    "decode_queue",
    "decode_redact",
    "decode_timeout",
    "decode_whole",
    "encode_flow_limits",
]

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
_LIMITS: Final = ("parallelism", "rate", "period")
LONGEST_PERIOD_S: Final = 7 * 86_400

_WHOLE: Final = re.compile(r"[0-9]{1,15}")
#: The documents have ``headers`` in one place and ``header`` in others (reference, section 3).
_REDACT: Final = re.compile(r"(body)|headers?(\[[^\[\],]+\])?", re.IGNORECASE)


def decode_expression(value: str) -> str:
    """The expression of a retry's delay, as it is spelled."""
    compile_expression(value)
    return value


def decode_duration(value: str) -> int:
    """Seconds; the fault is told without the value, which stands before it."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(str(error).replace(repr(value[:100]), "it", 1)) from None


def decode_timeout(value: str) -> int:
    """Seconds, at least one: without any, each attempt would fail before it was made."""
    seconds = decode_duration(value)
    if seconds < 1:
        raise ValueError("it is at least 1s")
    return seconds


def decode_method(value: str) -> str:
    """An HTTP method."""
    if value.upper() not in METHODS:
        raise ValueError(f"it is one of {', '.join(METHODS)}")
    return value.upper()


def decode_whole(value: str) -> int:
    """A count, or unix seconds."""
    if not _WHOLE.fullmatch(value):
        raise ValueError("it is a whole number, 0 or more")
    return int(value)


def decode_flag(value: str) -> bool:
    """A boolean; the Python SDK capitalises it (reference, section 0.9)."""
    if value.lower() not in _FLAGS:
        raise ValueError("it is true or false")
    return _FLAGS[value.lower()]


def decode_queue(value: str) -> str:
    """The name of a queue."""
    return check_name("queue", value)


def decode_labels(value: str) -> tuple[str, ...]:
    """One label, or several with commas between; each once."""
    labels = tuple(dict.fromkeys(label.strip() for label in value.split(",") if label.strip()))
    if len(labels) > LABELS_LIMIT:
        raise ValueError(f"a message has at most {LABELS_LIMIT} labels, not {len(labels)}")
    return tuple(bounded(label, NAME_LIMIT) for label in labels)


def decode_redact(value: str) -> tuple[str, ...]:
    """What to hide: ``body``, ``header``, ``header[Name]``, in this one spelling."""
    fields = []
    for part in filter(None, (part.strip() for part in value.split(","))):
        match = _REDACT.fullmatch(part)
        if match is None:
            raise ValueError(f"{part[:100]!r} is none of body, header, header[Name]")
        fields.append("body" if match[1] else f"header{match[2] or ''}")
    if len(fields) > LABELS_LIMIT:
        raise ValueError(f"a message hides at most {LABELS_LIMIT} fields, not {len(fields)}")
    return tuple(dict.fromkeys(fields))


def decode_deduplication_id(value: str) -> str:
    """An id without a colon."""
    if ":" in value:
        raise Rejected(400, texts.DEDUPLICATION_ID_HAS_COLON)
    return bounded(value)


def encode_flow_limits(flow: FlowControl) -> str:
    """The limits of ``flow``; a period only counts with a rate, and is a second unless it is told."""
    named = [("parallelism", flow.parallelism), ("rate", flow.rate)]
    limits = [f"{name}={value}" for name, value in named if value is not None]
    if flow.rate is not None or flow.period_s != 1:
        limits.append(f"period={format_duration(flow.period_s)}")
    return ", ".join(limits)


def decode_flow_limits(key: str, value: str) -> FlowControl:
    """The limits of ``key``: parallelism, rate, or both; the period is a duration or seconds, at most a week."""
    bounded(key)
    limits: dict[str, int] = {}
    for part in value.split(","):
        name, _, limit = (piece.strip() for piece in part.partition("="))
        if name not in _LIMITS or name in limits:
            raise ValueError(f"{part.strip()[:100]!r} is none of parallelism=n, rate=n, period=<duration>, each once")
        in_words = name == "period" and not _WHOLE.fullmatch(limit)
        limits[name] = parse_duration(limit) if in_words else decode_whole(limit)
        if limits[name] < 1:
            raise ValueError(f"{name} is at least 1")
    if limits.keys() <= {"period"}:
        raise ValueError("it needs parallelism or rate")
    if limits.get("period", 1) > LONGEST_PERIOD_S:
        raise ValueError("the period is at most a week")
    return FlowControl(key, limits.get("parallelism"), limits.get("rate"), limits.get("period", 1))
