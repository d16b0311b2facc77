"""The outbox's rows: requests to QStash, kept as they will be sent. Plain functions over an open transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from qsops.errors import Rejected
from qsops.wire.http import Request
from qsops.wire.publishing import parse_publish, publish_request
from service.store.person import needle
from service.store.port import (
    Backlog,
    Outgoing,
    Parked,
    Postponed,
    Queued,
    Sent,
    Statement,
    Unreadable,
    Verdict,
)

__all__ = ["backlog", "insert", "read", "settle", "speaking_of", "take"]

_INSERT: Final = """
insert into outbox (deduplication_id, event_id, path, headers, body, created_at_ms, due_at_ms, reason, conversation)
values (:deduplication_id, :event_id, :path, :headers, :body, :now_ms, :due_at_ms, :reason, :conversation)
on conflict (deduplication_id) do nothing
"""
_FREE: Final = "{0}.due_at_ms <= :due_ms and coalesce({0}.leased_until_ms, 0) <= :now_ms and {0}.id > :after"
_TAKE: Final = f"""
update outbox set leased_until_ms = :until_ms where id in (
    select id from outbox as mine where {_FREE.format("mine")} and not exists (
        select 1 from outbox as earlier
        where earlier.conversation = mine.conversation and earlier.id < mine.id and earlier.due_at_ms is not null
        and not ({_FREE.format("earlier")}))
    order by id limit :limit)
returning id, path, headers, body, event_id, attempts, conversation
"""
# The first of a conversation is due before all that follow it.
_BACKLOG: Final = """
select count(due_at_ms), count(*) - count(due_at_ms), min(case when due_at_ms is not null then created_at_ms end),
    min(case when conversation is null or not exists (
        select 1 from outbox as earlier
        where earlier.conversation = outbox.conversation and earlier.id < outbox.id and earlier.due_at_ms is not null)
        then max(due_at_ms, coalesce(leased_until_ms, 0)) end)
from outbox
"""
_FOREVER_MS: Final = 2**62


def insert(connection: sqlite3.Connection, outgoing: Iterable[Outgoing], now_ms: int) -> None:
    """Add rows; one of the same deduplication id is there already, and stays."""
    connection.executemany(_INSERT, [_values(one, now_ms) for one in outgoing])


def take(
    connection: sqlite3.Connection, now_ms: int, limit: int, until_ms: int, after: int, *, everything: bool
) -> list[Queued | Unreadable]:
    """Lease the first rows that are due."""
    rows = connection.execute(
        _TAKE,
        {
            "due_ms": _FOREVER_MS if everything else now_ms,
            "now_ms": now_ms,
            "after": after,
            "until_ms": until_ms,
            "limit": limit,
        },
    )
    return [read(*row) for row in sorted(rows)]


def settle(connection: sqlite3.Connection, row_id: int, verdict: Verdict) -> None:
    """What was sent goes; what was not stays, with the reason."""
    match verdict:
        case Sent():
            connection.execute("delete from outbox where id = ?", (row_id,))
        case Postponed(reason, due_at_ms):
            connection.execute(
                "update outbox set attempts = attempts + 1, due_at_ms = ?, reason = ?, leased_until_ms = null "
                "where id = ?",
                (due_at_ms, reason, row_id),
            )
        case Parked(reason):
            connection.execute(
                "update outbox set attempts = attempts + 1, due_at_ms = null, reason = ?, leased_until_ms = null "
                "where id = ?",
                (reason, row_id),
            )


def backlog(connection: sqlite3.Connection) -> Backlog:
    """How many rows wait, and since when."""
    row = connection.execute(_BACKLOG).fetchone()
    return Backlog(*row)


def speaking_of(person: str) -> Statement:
    """Finds id, event and body of the rows that may be about ``person``."""
    sql = "select id, event_id, body from outbox where instr(body, cast(:needle as blob)) > 0"
    return Statement(sql, {"needle": needle(person)})


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
        "conversation": outgoing.conversation,
    }


def read(
    row_id: int,
    target: str,
    headers: str,
    body: bytes,
    event_id: str | None,
    attempts: int,
    conversation: str | None,
) -> Queued | Unreadable:
    """One row. One that cannot be read must not hold up those behind it, so it is a value, not an exception."""
    path, _, query = target.partition("?")
    try:
        pairs = tuple((name, value) for name, value in json.loads(headers))
        publish = parse_publish(Request("POST", path, query, pairs, bytes(body)))
    except (Rejected, ValueError) as error:
        return Unreadable(row_id, event_id, f"malformed: row {row_id} is no publish request ({type(error).__name__})")
    return Queued(row_id, publish, event_id, attempts, conversation)
