"""The messages of every contender: small, JSON, and no two alike."""

from __future__ import annotations

import json

__all__ = ["body", "chunks"]

#: About what an event of a conversation weighs: 200 bytes.
_TEXT = "Is the blue one still to be had in a size that fits a child of eight, and could it be here by Friday? " * 2


def body(number: int) -> str:
    """Message ``number``."""
    return json.dumps({"id": number, "kind": "messages", "text": _TEXT[:150]})


def chunks(first: int, count: int, size: int) -> list[range]:
    """The numbers from ``first`` on, ``count`` of them, in batches of ``size``."""
    return [range(at, min(at + size, first + count)) for at in range(first, first + count, size)]
