"""Writes that are committed together: claims in one statement, and entries, and rows of the outbox.

A round asks for the claims, a second one writes what follows from them, commit included. Sorted rows keep groups of
several processes from waiting for each other in a circle.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qsops.models import LedgerEntry
from service.store import claims, ledger, outbox
from service.store.postgres.named import numbered
from service.store.postgres.server import Connection
from service.store.postgres.transaction import begin
from service.store.values import Effects, Outgoing

__all__ = ["Work", "run"]


@dataclass(frozen=True, slots=True)
class Work:
    """What one caller writes: the ``effects`` of an event that is to be claimed, or entries and messages.

    With ``if_new`` it is only those of events that the ledger does not have.
    """

    now_ms: int
    effects: Effects | None = None
    entries: Sequence[LedgerEntry] = ()
    outgoing: Sequence[Outgoing] = ()
    if_new: bool = False


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


_CLAIM: Final = _insert("claims", ("event_id", "claimed_at_ms"), "on conflict do nothing returning event_id")
_RECEIVE: Final = _insert("events", ledger.COLUMNS, "on conflict (event_id) do nothing returning event_id")
_RECORD: Final = _insert("events", ledger.COLUMNS, ledger.MERGE)
_SEND: Final = _insert("outbox", outbox.COLUMNS, "on conflict (deduplication_id) do nothing")
_DELIVERED_AGAIN: Final = (
    "update events set deliveries = deliveries + more from unnest($1::text[], $2::integer[]) as again (id, more) "
    "where event_id = id"
)


async def run(connection: Connection, works: Sequence[Work]) -> list[frozenset[str]]:
    """Write ``works`` in one transaction; for each its events that were claimed, or known, before.

    :raises psycopg.Error: when any of it fails; the transaction is then left for the caller to end.
    """
    claimed, received = await _begin(connection, works)
    known = [_known(work, claimed, received) for work in works]
    written = list(zip(works, known, strict=True))
    made = [work.effects for work, before in written if work.effects and not before]
    cursor = connection.cursor()
    async with connection.pipeline():
        for sql, values in _bulk(written, made):
            await cursor.execute(sql, values)
        for batch in claims.batches(made):
            translated = numbered(batch.sql)
            await cursor.executemany(translated.sql, [translated.values(row) for row in batch.rows])
        await cursor.execute("commit")
    return known


async def _begin(connection: Connection, works: Sequence[Work]) -> tuple[set[str], set[str]]:
    """Begin, and claim and receive events; those that nobody had before."""
    wanted = {work.effects.entry.event_id: work.now_ms for work in works if work.effects}
    ids = sorted(wanted)
    received = next(_once_each([entry for work in works if work.if_new for entry in work.entries]), [])
    claiming, receiving = connection.cursor(), connection.cursor()
    async with connection.pipeline():
        await begin(connection)
        if ids:
            rows = [{"event_id": event_id, "claimed_at_ms": wanted[event_id]} for event_id in ids]
            await claiming.execute(_CLAIM, [json.dumps(rows)])
        if received:
            await receiving.execute(_RECEIVE, [_json(received)])
    return (
        {event_id for (event_id,) in await claiming.fetchall()} if ids else set(),
        {event_id for (event_id,) in await receiving.fetchall()} if received else set(),
    )


def _known(work: Work, claimed: set[str], received: set[str]) -> frozenset[str]:
    """Which events of ``work`` were there before it; of two in one group the first has it."""
    fresh = claimed if work.effects else received
    asked = [work.effects.entry] if work.effects else work.entries if work.if_new else []
    known = frozenset(entry.event_id for entry in asked if entry.event_id not in fresh)
    fresh.difference_update(entry.event_id for entry in asked)
    return known


def _bulk(written: Sequence[tuple[Work, frozenset[str]]], made: Sequence[Effects]) -> Iterator[tuple[str, list[Any]]]:
    """Our own tables, a statement each."""
    entries = [entry for work, _ in written if not work.if_new for entry in work.entries]
    for portion in _once_each([*entries, *(effects.entry for effects in made)]):
        yield _RECORD, [_json(portion)]
    again = Counter(work.effects.entry.event_id for work, before in written if work.effects and before)
    if again:
        ids = sorted(again)
        yield _DELIVERED_AGAIN, [ids, [again[event_id] for event_id in ids]]
    rows = [outbox.values(one, work.now_ms) for work, before in written for one in _messages(work, before)]
    if rows:
        yield _SEND, [json.dumps([{**row, "body": b64encode(row["body"]).decode()} for row in rows])]


def _messages(work: Work, known: frozenset[str]) -> Iterable[Outgoing]:
    if work.effects:
        return () if known else work.effects.outgoing
    return [one for one in work.outgoing if one.event_id not in known]


def _json(entries: Sequence[LedgerEntry]) -> str:
    return json.dumps([{name: getattr(entry, name) for name in ledger.COLUMNS} for entry in entries])


def _once_each(entries: Sequence[LedgerEntry]) -> Iterator[list[LedgerEntry]]:
    """Portions that hold an event once: a statement cannot bring the same row forward twice."""
    left = entries
    while left:
        portion: dict[str, LedgerEntry] = {}
        later = [entry for entry in left if portion.setdefault(entry.event_id, entry) is not entry]
        yield sorted(portion.values(), key=lambda entry: entry.event_id)
        left = later
