"""Writes that are committed together: claims in one statement, and entries, and rows of the outbox.

A round asks for the claims, a second one writes what follows from them, commit included. Sorted rows keep groups of
several processes from waiting for each other in a circle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from qsops.models import LedgerEntry
from service.store import ledger, outbox
from service.store.port import Effects, Outgoing, Statement
from service.store.postgres.named import numbered
from service.store.postgres.server import Connection

__all__ = ["Work", "run"]


@dataclass(frozen=True, slots=True)
class Work:
    """What one caller writes: the ``effects`` of an event that is to be claimed, or entries and messages."""

    now_ms: int
    effects: Effects | None = None
    entries: Sequence[LedgerEntry] = ()
    outgoing: Sequence[Outgoing] = ()


def _type_of(column: str) -> str:
    if column.endswith("_ms"):
        return "bigint"
    return {"deliveries": "integer", "body": "bytea"}.get(column, "text")


def _insert(table: str, columns: Sequence[str], conflict: str) -> str:
    arrays = ", ".join(f"${number}::{_type_of(column)}[]" for number, column in enumerate(columns, 1))
    return f"insert into {table} ({', '.join(columns)}) select * from unnest({arrays}) {conflict}"


_CLAIM: Final = _insert("claims", ("event_id", "claimed_at_ms"), "on conflict do nothing returning event_id")
_RECORD: Final = _insert("events", ledger.COLUMNS, ledger.MERGE)
_SEND: Final = _insert("outbox", outbox.COLUMNS, "on conflict (deduplication_id) do nothing")
_DELIVERED_AGAIN: Final = (
    "update events set deliveries = deliveries + more from unnest($1::text[], $2::integer[]) as again (id, more) "
    "where event_id = id"
)


async def run(connection: Connection, works: Sequence[Work]) -> list[bool]:
    """Write ``works`` in one transaction; for each whether its event was claimed.

    :raises psycopg.Error: when any of it fails; the transaction is then left for the caller to end.
    """
    claimed = await _claim(connection, works)
    done = [work.effects is not None and claimed.pop(work.effects.entry.event_id, None) is work for work in works]
    made = [work.effects for work, is_first in zip(works, done, strict=True) if is_first and work.effects]
    again = [work.effects for work, is_first in zip(works, done, strict=True) if work.effects and not is_first]
    cursor = connection.cursor()
    async with connection.pipeline():
        for sql, values in _bulk(works, made, again, done):
            await cursor.execute(sql, values)
        for sql, rows in _batches(made):
            await cursor.executemany(sql, rows)
        await cursor.execute("commit")
    return done


async def _claim(connection: Connection, works: Sequence[Work]) -> dict[str, Work]:
    """Begin, and claim the events; whose claim holds, by event."""
    asking: dict[str, Work] = {}
    for work in works:
        if work.effects is not None:
            asking.setdefault(work.effects.entry.event_id, work)
    ids = sorted(asking)
    cursor = connection.cursor()
    async with connection.pipeline():
        await connection.execute("begin")
        if ids:
            await cursor.execute(_CLAIM, [ids, [asking[event_id].now_ms for event_id in ids]])
    return {event_id: asking[event_id] for (event_id,) in await cursor.fetchall()} if ids else {}


def _bulk(
    works: Sequence[Work], made: Sequence[Effects], again: Sequence[Effects], done: Sequence[bool]
) -> Iterator[tuple[str, list[list[Any]]]]:
    """Our own tables, a statement each, as arrays of columns."""
    entries = [entry for work in works for entry in work.entries] + [effects.entry for effects in made]
    for portion in _once_each(entries):
        yield _RECORD, [[getattr(entry, name) for entry in portion] for name in ledger.COLUMNS]
    if again:
        counted = Counter(effects.entry.event_id for effects in again)
        ids = sorted(counted)
        yield _DELIVERED_AGAIN, [ids, [counted[event_id] for event_id in ids]]
    rows = [
        outbox.values(one, work.now_ms)
        for work, is_first in zip(works, done, strict=True)
        for one in (*work.outgoing, *(work.effects.outgoing if work.effects and is_first else ()))
    ]
    if rows:
        yield _SEND, [[row[name] for row in rows] for name in outbox.COLUMNS]


def _once_each(entries: Sequence[LedgerEntry]) -> Iterator[list[LedgerEntry]]:
    """Portions that hold an event once: a statement cannot bring the same row forward twice."""
    left = entries
    while left:
        portion: dict[str, LedgerEntry] = {}
        later = [entry for entry in left if portion.setdefault(entry.event_id, entry) is not entry]
        yield sorted(portion.values(), key=lambda entry: entry.event_id)
        left = later


def _batches(made: Sequence[Effects]) -> Iterator[tuple[str, list[list[Any]]]]:
    """The handlers' statements, each event's in its own order, neighbours of the same text together."""
    in_order = sorted(made, key=lambda effects: [statement.sql for statement in effects.statements])
    statements: Iterable[Statement] = (statement for effects in in_order for statement in effects.statements)
    for sql, same in groupby(statements, key=lambda statement: statement.sql):
        translated = numbered(sql)
        yield translated.sql, [translated.values(statement.parameters) for statement in same]
