"""The ledger's rows: what became of each event. Plain functions over a connection whose transaction is open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from qsops.models import CallbackReport, LedgerEntry, Page
from service.store.port import LedgerFilter

__all__ = ["known", "mark_dead", "mark_parked", "mark_published", "page", "record", "record_delivery"]

# Later states win: rows of concurrent requests, and of a consumer that was faster, come in any order.
_RANK: Final = "instr('queued    parked    published dead      processed', {0})"

_COLUMNS: Final = (
    "event_id, kind, account, mid, state, received_at_ms, message_id, published_at_ms, processed_at_ms, "
    "deliveries, reason"
)
_INSERT: Final = f"""
insert into events ({_COLUMNS}) values (:event_id, :kind, :account, :mid, :state, :received_at_ms, :message_id,
    :published_at_ms, :processed_at_ms, :deliveries, :reason)
on conflict (event_id) do update set
    state = case when {_RANK.format("excluded.state")} > {_RANK.format("events.state")}
        then excluded.state else events.state end,
    reason = case when {_RANK.format("excluded.state")} > {_RANK.format("events.state")}
        then excluded.reason else events.reason end,
    message_id = coalesce(excluded.message_id, events.message_id),
    published_at_ms = coalesce(events.published_at_ms, excluded.published_at_ms),
    processed_at_ms = coalesce(events.processed_at_ms, excluded.processed_at_ms),
    deliveries = events.deliveries + excluded.deliveries
"""
_FILTERS: Final = ("event_id", "mid", "message_id", "state", "kind")
# Below the 999 variables of the oldest SQLite in use.
_CHUNK: Final = 500


def known(connection: sqlite3.Connection, event_ids: Sequence[str]) -> frozenset[str]:
    """Those of ``event_ids`` that have a row."""
    found: set[str] = set()
    for start in range(0, len(event_ids), _CHUNK):
        chunk = event_ids[start : start + _CHUNK]
        marks = ",".join("?" * len(chunk))
        found.update(
            row[0] for row in connection.execute(f"select event_id from events where event_id in ({marks})", chunk)
        )
    return frozenset(found)


def record(connection: sqlite3.Connection, entries: Iterable[LedgerEntry]) -> None:
    """Insert entries, or bring theirs forward; a state never goes back."""
    connection.executemany(_INSERT, [_values(entry) for entry in entries])


def record_delivery(connection: sqlite3.Connection, entry: LedgerEntry, *, claimed: bool) -> None:
    """A delivery that was answered 200: the one that processed the event, or a duplicate."""
    if claimed:
        record(connection, [entry])
    else:
        connection.execute("update events set deliveries = deliveries + 1 where event_id = ?", (entry.event_id,))


def mark_published(connection: sqlite3.Connection, event_id: str, message_id: str, now_ms: int) -> None:
    """The relay has sent it."""
    connection.execute(
        "update events set message_id = :message_id, published_at_ms = coalesce(published_at_ms, :now_ms), "
        "state = case when state in ('queued', 'parked') then 'published' else state end, "
        "reason = case when state in ('queued', 'parked') then null else reason end where event_id = :event_id",
        {"event_id": event_id, "message_id": message_id, "now_ms": now_ms},
    )


def mark_parked(connection: sqlite3.Connection, event_id: str, reason: str) -> None:
    """The relay was refused it for good."""
    connection.execute(
        "update events set state = 'parked', reason = ? where event_id = ? and state = 'queued'", (reason, event_id)
    )


def mark_dead(connection: sqlite3.Connection, report: CallbackReport, event_id: str | None) -> None:
    """The message of an event has failed for good. An event that was processed all the same stays processed."""
    connection.execute(
        "update events set state = 'dead', reason = :reason "
        "where (event_id = :event_id or message_id = :message_id) and state <> 'processed'",
        {"event_id": event_id, "message_id": report.source_message_id, "reason": f"answered {report.status}"},
    )


def page(connection: sqlite3.Connection, which: LedgerFilter, cursor: int, limit: int) -> Page[LedgerEntry]:
    """One page after row ``cursor``."""
    chosen = {name: getattr(which, name) for name in _FILTERS if getattr(which, name) is not None}
    conditions = "".join(f" and {name} = :{name}" for name in chosen)
    rows = connection.execute(
        f"select seq, {_COLUMNS} from events where seq > :cursor{conditions} order by seq limit :limit",
        {**chosen, "cursor": cursor, "limit": limit + 1},
    ).fetchall()
    more = str(rows[limit - 1][0]) if len(rows) > limit else None
    return Page(tuple(_entry(row[1:]) for row in rows[:limit]), more)


def _values(entry: LedgerEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _COLUMNS.split(", ")}


def _entry(row: Sequence[Any]) -> LedgerEntry:
    return LedgerEntry(**dict(zip(_COLUMNS.split(", "), row, strict=True)))
