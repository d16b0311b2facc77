"""Events in a file, as requests of the internal routes can carry them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from qsops.errors import Corrupt
from service.envelope import event_of, parse_json

__all__ = ["EVENTS", "batches", "kinds_of", "read_events"]

#: Events of one request, and the bytes of them together; the route takes 1,000 and 16 MiB.
EVENTS: Final = 500
BYTES: Final = 8 * 1024 * 1024


def read_events(text: bytes) -> list[dict[str, Any]]:
    """The envelopes in ``text``: a JSON object with ``events``, a JSON list, or one envelope a line.

    :raises Corrupt: naming the line or place of what is none; nothing of it is quoted.
    """
    whole = text.strip()
    if not whole:
        raise Corrupt("there are no events in it")
    if whole.startswith(b"["):
        return _list(parse_json(whole))
    lines = [line for line in whole.splitlines() if line.strip()]
    try:
        first = parse_json(lines[0])
    except Corrupt:
        return _list(_events(parse_json(whole)))
    if isinstance(first, dict) and "events" in first:
        return _list(_events(parse_json(whole)))
    return [_line(number, line) for number, line in enumerate(lines, 1)]


def kinds_of(events: Sequence[dict[str, Any]], received_at: datetime) -> dict[str, int]:
    """How many of each kind there are. :raises Corrupt: naming the event that is no envelope, and its field."""
    kinds: dict[str, int] = {}
    for number, value in enumerate(events):
        try:
            kind = event_of(value, received_at).kind
        except Corrupt as error:
            raise Corrupt(f"events[{number}]: {error}") from error
        kinds[kind] = kinds.get(kind, 0) + 1
    return dict(sorted(kinds.items()))


def batches(events: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """The bodies of the requests that carry ``events``, in their order."""
    held: list[str] = []
    size = 0
    for event in events:
        text = json.dumps(event, separators=(",", ":"))
        if held and (len(held) == EVENTS or size + len(text) > BYTES):
            yield _body(held)
            held, size = [], 0
        held.append(text)
        size += len(text) + 1
    if held:
        yield _body(held)


def _body(texts: Sequence[str]) -> bytes:
    return f'{{"events":[{",".join(texts)}]}}'.encode()


def _events(value: Any) -> Any:
    if isinstance(value, dict) and "events" in value:
        return value["events"]
    return [value]


def _list(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise Corrupt("events must be a list with at least one envelope")
    return value


def _line(number: int, line: bytes) -> dict[str, Any]:
    try:
        value = parse_json(line)
    except Corrupt as error:
        raise Corrupt(f"line {number}: {error}") from error
    return value  # type: ignore[no-any-return]
