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

_NEWEST: Final = Statement("select coalesce(max(seq), 0) from events")
_OLDER: Final = (
    "select event_id from events where event_id in (select value from json_each(:event_ids)) and seq <= :newest"
)


def record_all(group: Sequence[Receipts]) -> Steps[list[None]]:
    """Write each of ``group``, but for the messages of events that the ledger had before: these are on their way."""
    ((newest,),) = yield _NEWEST
    yield from ledger.record([entry for entries, _, _ in group for entry in entries])
    asked = [entry.event_id for entries, messages, _ in group if messages for entry in entries]
    _, outgoing = _parted(group, (yield from _older(asked, newest)) if asked else set())
    yield from outbox.insert(outgoing, _latest(group))
    return [None] * len(group)


def receive_all(group: Sequence[Receipts]) -> Steps[list[frozenset[str]]]:
    """Write each of ``group`` but for the events that the ledger has, or that stand before it in the group: these."""
    ((newest,),) = yield _NEWEST
    received = [entry for entries, _, _ in group for entry in entries]
    # Hardly anything comes twice: only when a row is missing it is asked which.
    if (yield from ledger.add(received)) == len(received):
        known = [frozenset[str]()] * len(group)
        outgoing = [message for _, messages, _ in group for message in messages]
    else:
        known, outgoing = _parted(group, (yield from _older([entry.event_id for entry in received], newest)))
    yield from outbox.insert(outgoing, _latest(group))
    return known


def _older(event_ids: Iterable[str], newest: int) -> Steps[set[str]]:
    """Those of ``event_ids`` that had an entry when ``newest`` was the last."""
    rows = yield Statement(_OLDER, {"event_ids": json.dumps(list(event_ids)), "newest": newest})
    return {event_id for (event_id,) in rows}


def _parted(group: Sequence[Receipts], taken: set[str]) -> tuple[list[frozenset[str]], list[Outgoing]]:
    """For each of ``group`` its events that are ``taken``, or stand before it; and the messages of all the others."""
    known, outgoing = [], []
    for entries, messages, _ in group:
        again = frozenset([entry.event_id for entry in entries if entry.event_id in taken])
        outgoing += [message for message in messages if message.event_id not in again]
        taken.update([entry.event_id for entry in entries])
        known.append(again)
    return known, outgoing


def _latest(group: Sequence[Receipts]) -> int:
    return max(now_ms for _, _, now_ms in group)
