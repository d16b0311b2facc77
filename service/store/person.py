"""What leads to a person: found by the id that Meta gave them, in the JSON of events and envelopes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["needle", "speaks_of"]

_SIDES: Final = ("sender", "recipient", "from")


def needle(person: str) -> str:
    """What the text of any JSON that speaks of ``person`` holds: a first, coarse sieve for the database."""
    return json.dumps(person)[1:-1]


def speaks_of(text: str | bytes, person: str) -> bool:
    """Whether ``text`` is JSON in which ``person`` is a sender or a recipient, however deep."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return any(str(_id(item.get(side))) == person for item in _objects(value) for side in _SIDES)


def _id(side: Any) -> Any:
    return side.get("id") if isinstance(side, dict) else None


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
