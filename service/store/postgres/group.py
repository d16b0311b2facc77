"""Writes that are committed together: events that are claimed, or entries and rows of the outbox.

A round asks for the claims, or for what is known, a second one writes what follows from it, commit included. A group
takes the locks of its entries once, sorted: so groups of several processes never wait for each other in a circle.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncCursor

from qsops.models import LedgerEntry
from service.store import claims, ledger, outbox
from service.store.postgres.named import numbered
from service.store.postgres.server import Connection
from service.store.postgres.transaction import begin
from service.store.values import Effects, Outgoing

__all__ = ["Claiming", "Receiving", "Work", "run"]


@dataclass(frozen=True, slots=True)
class Claiming:
    """The ``effects`` of an event that is to be claimed."""

    effects: Effects
    now_ms: int


@dataclass(frozen=True, slots=True)
class Receiving:
    """Entries, and messages of events that the ledger does not have; with ``if_new`` only the entries of these, too."""

    entries: Sequence[LedgerEntry]
    outgoing: Sequence[Outgoing]
    now_ms: int
    if_new: bool = False


#: What one caller writes. A group is of one kind.
Work = Claiming | Receiving


def _type_of(column: str) -> str:
    if column.endswith("_ms"):
        return "bigint"
    return "integer" if column == "deliveries" else "text"


def _insert(table: str, columns: Sequence[str], conflict: str) -> str:
    """An insert of the rows that a JSON text holds: arrays cost us three times as much to write."""
    typed = ", ".join(f"{column} {_type_of(column)}" for column in columns)
    values = ", ".join("decode(body, 'base64')" if column == "body" else column for column in columns)
    rows = f"select {values} from json_to_recordset($1) as r ({typed})"
    return f"insert into {table} ({', '.join(columns)}) {rows} {conflict}"


_CLAIM: Final = _insert("events", claims.COLUMNS, f"{claims.UNLESS_CLAIMED} returning event_id")
_RECEIVE: Final = _insert("events", ledger.COLUMNS, "on conflict (event_id) do nothing returning event_id")
_RECORD: Final = _insert("events", ledger.COLUMNS, ledger.MERGE)
_SEND: Final = _insert("outbox", outbox.COLUMNS, "on conflict (deduplication_id) do nothing")
_DELIVERED_AGAIN: Final = (
    "update events set deliveries = deliveries + more from unnest($1::text[], $2::integer[]) as again (id, more) "
    "where event_id = id"
)


async def run(connection: Connection, works: Sequence[Work]) -> list[frozenset[str]]:
    """Write ``works``, of one kind, in one transaction; for each its events that were claimed, or known, before.

    :raises psycopg.Error: when any of it fails; the transaction is then left for the caller to end.
    """
    claiming = [work for work in works if isinstance(work, Claiming)]
    if claiming:
        return await _claim(connection, claiming)
    return await _receive(connection, [work for work in works if isinstance(work, Receiving)])


async def _claim(connection: Connection, works: Sequence[Claiming]) -> list[frozenset[str]]:
    rows: dict[str, dict[str, Any]] = {}
    for work in works:
        rows.setdefault(work.effects.entry.event_id, claims.row(work.effects.entry, work.now_ms))
    fresh = await _begin(connection, _CLAIM, [rows[event_id] for event_id in sorted(rows)])
    known: list[frozenset[str]] = []
    made: list[Effects] = []
    sent: list[tuple[Outgoing, int]] = []
    again: Counter[str] = Counter()
    for work in works:
        event_id = work.effects.entry.event_id
        if event_id in fresh:
            fresh.discard(event_id)  # of two in one group the first has it
            made.append(work.effects)
            sent += [(one, work.now_ms) for one in work.effects.outgoing]
            known.append(frozenset())
        else:
            again[event_id] += 1
            known.append(frozenset((event_id,)))
    cursor = connection.cursor()
    async with connection.pipeline():
        if again:
            ids = sorted(again)
            await cursor.execute(_DELIVERED_AGAIN, [ids, [again[event_id] for event_id in ids]])
        for batch in claims.batches(made):
            translated = numbered(batch.sql)
            await cursor.executemany(translated.sql, [translated.values(row) for row in batch.rows])
        await _send(cursor, sent)
        await cursor.execute("commit")
    return known


async def _receive(connection: Connection, works: Sequence[Receiving]) -> list[frozenset[str]]:
    asked = next(_once_each([entry for work in works for entry in work.entries]), [])
    fresh = await _begin(connection, _RECEIVE, _rows(asked))
    # By identity: an equal entry of another work is brought forward by a second one.
    written = {id(entry) for entry in asked if entry.event_id in fresh}
    known = []
    for work in works:
        before = frozenset(entry.event_id for entry in work.entries if entry.event_id not in fresh)
        fresh.difference_update(entry.event_id for entry in work.entries)
        known.append(before)
    sent = [
        (one, work.now_ms)
        for work, before in zip(works, known, strict=True)
        for one in work.outgoing
        if one.event_id not in before
    ]
    cursor = connection.cursor()
    async with connection.pipeline():
        merged = [entry for work in works if not work.if_new for entry in work.entries if id(entry) not in written]
        for portion in _once_each(merged):
            await cursor.execute(_RECORD, [json.dumps(_rows(portion))])
        await _send(cursor, sent)
        await cursor.execute("commit")
    return known


async def _begin(connection: Connection, insert: str, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Begin, and insert ``rows``; the events that this has done something to."""
    cursor = connection.cursor()
    async with connection.pipeline():
        await begin(connection)
        if rows:
            await cursor.execute(insert, [json.dumps(rows)])
    return {event_id for (event_id,) in await cursor.fetchall()} if rows else set()


async def _send(cursor: AsyncCursor[Any], outgoing: Sequence[tuple[Outgoing, int]]) -> None:
    if outgoing:
        await cursor.execute(_SEND, [json.dumps([_message(one, now_ms) for one, now_ms in outgoing])])


def _message(outgoing: Outgoing, now_ms: int) -> dict[str, Any]:
    row = dict(zip(outbox.COLUMNS, outbox.values(outgoing, now_ms), strict=True))
    return {**row, "body": b64encode(row["body"]).decode()}


def _rows(entries: Sequence[LedgerEntry]) -> list[dict[str, Any]]:
    return [{name: getattr(entry, name) for name in ledger.COLUMNS} for entry in entries]


def _once_each(entries: Sequence[LedgerEntry]) -> Iterator[list[LedgerEntry]]:
    """Portions that hold an event once: a statement cannot bring the same row forward twice."""
    left = entries
    while left:
        portion: dict[str, LedgerEntry] = {}
        later = [entry for entry in left if portion.setdefault(entry.event_id, entry) is not entry]
        yield sorted(portion.values(), key=lambda entry: entry.event_id)
        left = later
