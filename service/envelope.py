"""What travels through QStash: one event in a versioned envelope.

Messages outlive deploys: what version 1 wrote stays readable for ever (``tests/service/envelopes/v1``).
Envelopes are pure ASCII on the wire, so that no proxy or log on the way can spoil an emoji. What we have written
msgspec reads at once; whatever it does not take is read field by field, which decides, and says what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from qsops.errors import Corrupt
from service.errors import NewerEnvelope

__all__ = ["EVENT_ID_HEADER", "MALFORMED", "VERSION", "Event", "decode", "encode", "event_of", "iso", "parse_json"]

VERSION: Final = 1
EVENT_ID_HEADER: Final = "Qsops-Event-Id"
MALFORMED: Final = "the body is no event envelope"

# An id travels in a header and a kind in a comma-separated one.
_EVENT_ID: Final = re.compile(r"[!-~]{1,200}")
_SECONDS_CHARS: Final = len("2026-01-01T00:00:00")
_KIND: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Text that any database can store: no control characters, no halves of a surrogate pair.
_ACCOUNT: Final = re.compile(r"[^\x00-\x1f\ud800-\udfff]{1,200}")
#: Kinds of accounts that are remembered to be well spelled.
_NAMES: Final = 1_024
#: How what :func:`encode` writes begins.
_OURS: Final = b'{"v":%d,' % VERSION


class Event(msgspec.Struct, frozen=True, tag_field="v", tag=VERSION):
    """One thing that happened at ``account``: ``id`` is its identity, ``payload`` what the producer said of it.

    For Instagram the payload is the item of ``messaging[]``, or ``{"field", "value"}`` of a change;
    :mod:`service.instagram` reads it. Times are UTC.
    """

    id: str
    kind: str
    account: str
    occurred_at: datetime
    received_at: datetime
    payload: Mapping[str, Any]


def _no_number(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("out of range")
    return number


# Made once: json.dumps with separators, and json.loads with hooks, build theirs for each call. What JSON said, and a
# payload is nothing else, holds no circle. msgspec does the same for most, and refuses the rest: numbers that are none,
# halves of surrogate pairs. What is not ASCII it leaves as it is.
_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
_DECODE: Final = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite).decode
_ENCODE_FAST: Final = msgspec.json.Encoder().encode
_DECODE_FAST: Final = msgspec.json.Decoder().decode
_EVENT_IN: Final = msgspec.json.Decoder(Event).decode


def encode(event: Event) -> bytes:
    """The envelope of ``event``. :raises Corrupt: when its payload holds what JSON cannot."""
    envelope = {
        "v": VERSION,
        "id": event.id,
        "kind": event.kind,
        "account": event.account,
        "occurred_at": iso(event.occurred_at),
        "received_at": iso(event.received_at),
        "payload": event.payload,
    }
    try:
        return _encoded_fast(envelope) or _ENCODE(envelope).encode("ascii")
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"the payload of {event.id} cannot be written as JSON ({type(error).__name__})") from error


def _encoded_fast(envelope: dict[str, Any]) -> bytes | None:
    """As the encoder of the standard library writes it, or None where it might write something else, or nothing."""
    try:
        text = _ENCODE_FAST(envelope)
    except (ValueError, RecursionError):
        return None
    # A null may stand for a number that is none.
    return text if text.isascii() and b"null" not in text else None


def decode(body: bytes) -> Event:
    """The event in an envelope; fields that this version does not know are passed over.

    :raises NewerEnvelope: when ``v`` is higher than ours.
    :raises Corrupt: when it is no envelope at all; no retry mends that.
    """
    event = _written_by_us(body)
    if event is not None:
        return event
    value = parse_json(body)
    version = value.get("v") if isinstance(value, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Corrupt(f"{MALFORMED}: it has no version")
    if version > VERSION:
        raise NewerEnvelope(version)
    return event_of(value)


def _written_by_us(body: bytes) -> Event | None:
    """The event, if ``body`` is spelled as :func:`encode` spells it."""
    if not body.startswith(_OURS):
        return None
    try:
        event = _EVENT_IN(body)
    except (ValueError, RecursionError):
        return None
    is_utc = event.occurred_at.tzinfo is UTC is event.received_at.tzinfo
    return event if is_utc and _EVENT_ID.fullmatch(event.id) and _are_names(event.kind, event.account) else None


@lru_cache(_NAMES)
def _are_names(kind: str, account: str) -> bool:
    """There are few of both, so it is asked once of each."""
    return bool(_KIND.fullmatch(kind) and _ACCOUNT.fullmatch(account))


def event_of(value: Any, received_at: datetime | None = None) -> Event:
    """The event that a decoded envelope describes; without times of its own it happened at ``received_at``.

    :raises Corrupt: naming the field that does not hold what it must.
    """
    if not isinstance(value, dict):
        raise Corrupt(f"{MALFORMED}: it is no object")
    received = _time(value, "received_at", received_at)
    payload = value.get("payload")
    if not isinstance(payload, dict):
        raise Corrupt(f"{MALFORMED}: payload must be an object")
    return Event(
        id=_matching(value, "id", _EVENT_ID),
        kind=_matching(value, "kind", _KIND),
        account=_matching(value, "account", _ACCOUNT),
        occurred_at=_time(value, "occurred_at", received_at and received),
        received_at=received,
        payload=payload,
    )


def parse_json(body: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN or Infinity, numbers and nesting within what Python can hold.

    :raises Corrupt: otherwise; the message quotes nothing of the body.
    """
    try:
        return _DECODE_FAST(body)
    except (ValueError, RecursionError):
        pass  # which of both is right is decided below
    try:
        return _DECODE(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"the body is no JSON ({type(error).__name__})") from error


def iso(at: datetime) -> str:
    """``2026-01-01T00:00:00.000Z``"""
    in_utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    # datetime's own isoformat takes twice as long.
    return f"{msgspec.to_builtins(in_utc)[:_SECONDS_CHARS]}.{in_utc.microsecond // 1000:03}Z"


def _time(value: dict[str, Any], name: str, default: datetime | None) -> datetime:
    text = value.get(name)
    if text is None and default is not None:
        return default
    try:
        at = datetime.fromisoformat(text)  # type: ignore[arg-type]  # a TypeError is the answer to anything else
        if at.tzinfo is None:
            raise ValueError
        return at if at.tzinfo is UTC else at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise Corrupt(f"{MALFORMED}: {name} must be an ISO 8601 time with its offset from UTC") from error


def _matching(value: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise Corrupt(f"{MALFORMED}: {name} must match {pattern.pattern}")
    return text
