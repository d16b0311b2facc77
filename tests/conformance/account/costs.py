"""How many messages a request may lead to at most: attempts and callbacks count, as QStash bills them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["batch_items", "most_messages", "option"]

_RETRIES: Final = 3


def most_messages(headers: Mapping[str, str], endpoints: int) -> int:
    """The most that one publish with these option headers may send, to a group of ``endpoints`` or to one URL (1)."""
    attempts = _attempts(headers, "upstash-", _RETRIES)
    sent = attempts
    if option(headers, "upstash-callback"):
        sent += attempts * _attempts(headers, "upstash-callback-", attempts - 1)
    if option(headers, "upstash-failure-callback"):
        sent += _attempts(headers, "upstash-failure-callback-", attempts - 1)
    return sent * endpoints


def batch_items(body: bytes) -> list[Mapping[str, Any]]:
    """The items of a batch; none where it is no list of objects, which the server refuses."""
    try:
        items = json.loads(body)
    except ValueError:
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def option(headers: Mapping[str, str], name: str) -> str | None:
    """An option by its lower-case name, in whatever case it is spelled."""
    return next((value for key, value in headers.items() if key.lower() == name), None)


def _attempts(headers: Mapping[str, str], prefix: str, retries: int) -> int:
    text = option(headers, f"{prefix}retries")
    return 1 + (retries if text is None else int(text))
