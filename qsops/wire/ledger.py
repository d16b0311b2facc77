"""The service's ledger on the wire: what became of each event, by cursor. Ours, not QStash's.

``GET /api/internal/ledger`` answers ``{"events": [{"eventId", "kind", "state", "receivedAt", …}], "cursor"}``: names as
QStash spells its own, times in unix milliseconds, absent instead of null, the cursor absent at the end.
"""

from __future__ import annotations

from typing import Any, Final

from qsops.errors import Corrupt
from qsops.models import LedgerEntry, Page

__all__ = ["LEDGER_PATH", "ledger_entry_json", "ledger_json", "parse_ledger", "parse_ledger_entry"]

LEDGER_PATH: Final = "/api/internal/ledger"

_NAMES: Final = {
    "event_id": "eventId",
    "kind": "kind",
    "account": "account",
    "state": "state",
    "received_at_ms": "receivedAt",
    "mid": "mid",
    "message_id": "messageId",
    "published_at_ms": "publishedAt",
    "processed_at_ms": "processedAt",
    "deliveries": "deliveries",
    "reason": "reason",
}
_REQUIRED: Final = ("event_id", "kind", "account", "state")
_NUMBERS: Final = ("received_at_ms", "published_at_ms", "processed_at_ms", "deliveries")


def ledger_entry_json(entry: LedgerEntry) -> dict[str, Any]:
    """One entry; what is None is left out."""
    values = {wire: getattr(entry, name) for name, wire in _NAMES.items()}
    return {name: value for name, value in values.items() if value is not None}


def parse_ledger_entry(value: Any) -> LedgerEntry:
    """One entry; fields that this version does not know are passed over.

    :raises Corrupt: when it is no object, or lacks what makes it an entry.
    """
    if not isinstance(value, dict):
        raise Corrupt(f"a ledger entry is {type(value).__name__}, expected an object")
    fields = {name: value[wire] for name, wire in _NAMES.items() if value.get(wire) is not None}
    for name in (*_REQUIRED, "received_at_ms"):
        if name not in fields:
            raise Corrupt(f"a ledger entry has no {_NAMES[name]}")
    for name, found in fields.items():
        wanted = int if name in _NUMBERS else str
        if not isinstance(found, wanted) or isinstance(found, bool):
            raise Corrupt(f"a ledger entry's {_NAMES[name]} is {type(found).__name__}, expected {wanted.__name__}")
    return LedgerEntry(**fields)


def ledger_json(page: Page[LedgerEntry]) -> dict[str, Any]:
    """One page of entries."""
    events = [ledger_entry_json(entry) for entry in page.items]
    return {"events": events} if page.cursor is None else {"events": events, "cursor": page.cursor}


def parse_ledger(value: Any) -> Page[LedgerEntry]:
    """One page of entries, from the decoded JSON of an answer.

    :raises Corrupt: when it is no page.
    """
    if not isinstance(value, dict) or not isinstance(value.get("events"), list):
        raise Corrupt("the ledger's answer is no object with a list of events")
    cursor = value.get("cursor")
    return Page(tuple(parse_ledger_entry(item) for item in value["events"]), str(cursor) if cursor else None)
