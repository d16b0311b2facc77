"""Redaction: what a publisher asked to keep out of every listing; its destination still gets the original."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TypeVar

import msgspec

from qsops.models import Headers, Message, Publish

__all__ = ["redacted"]

#: What names fields that it hides.
T = TypeVar("T", Message, Publish)

_ONE_HEADER = re.compile(r"headers?\[(.+)\]", re.IGNORECASE)


def redacted(message: T) -> T:
    """``message``, or what a schedule publishes, as it may be shown: what it names reads ``REDACTED:<sha256, hex>``."""
    if not message.redact:
        return message
    body = _digest(message.body).encode() if "body" in message.redact else message.body
    headers = _redacted_headers(message.headers, message.redact)
    if isinstance(message, Publish):
        return msgspec.structs.replace(message, body=body, headers=headers)
    return replace(message, body=body, headers=headers)


def _redacted_headers(headers: Headers, redact: tuple[str, ...]) -> Headers:
    named = {match[1].lower() for match in map(_ONE_HEADER.fullmatch, redact) if match}
    everything = not {"header", "headers"}.isdisjoint(redact)
    return tuple(
        (name, _digest(value.encode()) if everything or name.lower() in named else value) for name, value in headers
    )


def _digest(value: bytes) -> str:
    return f"REDACTED:{hashlib.sha256(value).hexdigest()}"
