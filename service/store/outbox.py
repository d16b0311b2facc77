"""The outbox's rows: requests to QStash, kept as they will be sent. Plain functions over an open transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from qsops.errors import Rejected
from qsops.wire.http import Request
from qsops.wire.publishing import parse_publish, publish_request
from service.store.port import Backlog, Outgoing, Parked, Postponed, Queued, Sent, Unreadable, Verdict

__all__ = ["backlog", "due", "insert", "settle"]

_INSERT: Final = """
insert into outbox (deduplication_id, event_id, path, headers, body, created_at_ms, due_at_ms, reason)
values (:deduplication_id, :event_id, :path, :headers, :body, :now_ms, :due_at_ms, :reason)
on conflict (deduplication_id) do nothing
"""
_FOREVER_MS: Final = 2**62


def insert(connection: sqlite3.Connection, outgoing: Iterable[Outgoing], now_ms: int) -> None:
    """Add rows; one of the same deduplication id is there already, and stays."""
    connection.executemany(_INSERT, [_values(one, now_ms) for one in outgoing])


def due(connection: sqlite3.Connection, now_ms: int | None, limit: int, after: int) -> list[Queued | Unreadable]:
    """The first rows that are due."""
    rows = connection.execute(
        "select id, path, headers, body, event_id, attempts from outbox "
        "where due_at_ms <= :now_ms and id > :after order by id limit :limit",
        {"now_ms": _FOREVER_MS if now_ms is None else now_ms, "after": after, "limit": limit},
    )
    return [_read(*row) for row in rows]


def settle(connection: sqlite3.Connection, row_id: int, verdict: Verdict) -> None:
    """What was sent goes; what was not stays, with the reason."""
    match verdict:
        case Sent():
            connection.execute("delete from outbox where id = ?", (row_id,))
        case Postponed(reason, due_at_ms):
            connection.execute(
                "update outbox set attempts = attempts + 1, due_at_ms = ?, reason = ? where id = ?",
                (due_at_ms, reason, row_id),
            )
        case Parked(reason):
            connection.execute(
                "update outbox set attempts = attempts + 1, due_at_ms = null, reason = ? where id = ?", (reason, row_id)
            )


def backlog(connection: sqlite3.Connection) -> Backlog:
    """How many rows wait, and since when."""
    row = connection.execute(
        "select count(due_at_ms), count(*) - count(due_at_ms), "
        "min(case when due_at_ms is not null then created_at_ms end), min(due_at_ms) from outbox"
    ).fetchone()
    return Backlog(*row)


def _values(outgoing: Outgoing, now_ms: int) -> dict[str, object]:
    request = publish_request(outgoing.publish)
    return {
        "deduplication_id": outgoing.publish.deduplication_id,
        "event_id": outgoing.event_id,
        "path": request.target,
        "headers": json.dumps(request.headers),
        "body": request.body,
        "now_ms": now_ms,
        "due_at_ms": None if outgoing.parked else now_ms + outgoing.wait_ms,
        "reason": outgoing.reason,
    }


def _read(
    row_id: int, target: str, headers: str, body: bytes, event_id: str | None, attempts: int
) -> Queued | Unreadable:
    """One row. One that cannot be read must not hold up those behind it, so it is a value, not an exception."""
    path, _, query = target.partition("?")
    try:
        pairs = tuple((name, value) for name, value in json.loads(headers))
        publish = parse_publish(Request("POST", path, query, pairs, bytes(body)))
    except (Rejected, ValueError) as error:
        return Unreadable(row_id, event_id, f"malformed: row {row_id} is no publish request ({type(error).__name__})")
    return Queued(row_id, publish, event_id, attempts)
