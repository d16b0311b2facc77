"""The service's ledger on the wire: what became of each event, by cursor. Ours, not QStash's.

``GET /api/internal/ledger`` answers ``{"events": [{"event_id", "kind", "state", "received_at_ms", …}], "cursor"}``: the
fields of :class:`~qsops.models.LedgerEntry`, absent instead of null; the cursor is absent at the end.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from qsops.errors import Corrupt
from qsops.models import LedgerEntry, Page

__all__ = ["LEDGER_PATH", "ledger_entry_json", "ledger_json", "parse_ledger", "parse_ledger_entry"]

LEDGER_PATH: Final = "/api/internal/ledger"

_NAMES: Final = tuple(field.name for field in msgspec.structs.fields(LedgerEntry))
_REQUIRED: Final = ("event_id", "kind", "account", "state", "received_at_ms")
_NUMBERS: Final = frozenset({"received_at_ms", "published_at_ms", "processed_at_ms", "deliveries"})


def ledger_entry_json(entry: LedgerEntry) -> dict[str, Any]:
    """One entry; what is None is left out."""
    values = {name: getattr(entry, name) for name in _NAMES}
    return {name: value for name, value in values.items() if value is not None}


def parse_ledger_entry(value: Any) -> LedgerEntry:
    """One entry; fields that this version does not know are passed over.

    :raises Corrupt: when it is no object, or lacks what makes it an entry.
    """
    if not isinstance(value, dict):
        raise Corrupt(f"a ledger entry is {type(value).__name__}, expected an object")
    found = {name: value[name] for name in _NAMES if value.get(name) is not None}
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        raise Corrupt(f"a ledger entry has no {missing[0]}")
    for name, given in found.items():
        wanted = int if name in _NUMBERS else str
        if not isinstance(given, wanted) or isinstance(given, bool):
            raise Corrupt(f"a ledger entry's {name} is {type(given).__name__}, expected {wanted.__name__}")
    return LedgerEntry(**found)


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
