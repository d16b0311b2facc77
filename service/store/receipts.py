"""What is received: events that are not known yet, with what is still to be published for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from qsops.models import LedgerEntry
from service.store import ledger, outbox
from service.store.steps import Steps
from service.store.values import Outgoing, Statement

__all__ = ["Receipts", "receive_all", "record_all"]

#: Entries, the messages of their events, and when.
Receipts = tuple[Sequence[LedgerEntry], Sequence[Outgoing], int]

_KNOWN: Final = "select event_id from events where event_id in (select value from json_each(:event_ids))"


def record_all(group: Sequence[Receipts]) -> Steps[list[None]]:
    """Write each of ``group``, but for the messages of events that the ledger had before: these are on their way."""
    taken = yield from _known(entry for entries, messages, _ in group if messages for entry in entries)
    outgoing = []
    for entries, messages, _ in group:
        again = {entry.event_id for entry in entries if entry.event_id in taken}
        outgoing += [message for message in messages if message.event_id not in again]
        taken.update(entry.event_id for entry in entries)
    yield from ledger.record([entry for entries, _, _ in group for entry in entries])
    yield from outbox.insert(outgoing, _latest(group))
    return [None] * len(group)


def receive_all(group: Sequence[Receipts]) -> Steps[list[frozenset[str]]]:
    """Write each of ``group`` but for the events that the ledger has, or that stand before it in the group: these."""
    taken = yield from _known(entry for entries, _, _ in group for entry in entries)
    known, fresh, outgoing = [], [], []
    for entries, messages, _ in group:
        again = frozenset(entry.event_id for entry in entries if entry.event_id in taken)
        fresh += [entry for entry in entries if entry.event_id not in again]
        outgoing += [message for message in messages if message.event_id not in again]
        taken.update(entry.event_id for entry in entries)
        known.append(again)
    if fresh:
        yield from ledger.record(fresh)
        yield from outbox.insert(outgoing, _latest(group))
    return known


def _known(entries: Iterable[LedgerEntry]) -> Steps[set[str]]:
    """The events of those of ``entries`` that the ledger has."""
    asked = [entry.event_id for entry in entries]
    rows = (yield Statement(_KNOWN, {"event_ids": json.dumps(asked)})) if asked else ()
    return {event_id for (event_id,) in rows}


def _latest(group: Sequence[Receipts]) -> int:
    return max(now_ms for _, _, now_ms in group)
