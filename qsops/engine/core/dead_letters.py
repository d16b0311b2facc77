"""The dead letter queue: messages that failed for good, with the answer that decided it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from sqlite3 import Connection, Cursor
from typing import Any

from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.core.filters import Conditions, trait_conditions
from qsops.engine.core.pages import after, page_of
from qsops.engine.core.rows import MESSAGE_COLUMNS, decode_headers, encode_headers, message_of_row
from qsops.models import DeadLetter, DlqFilter, Page

__all__ = ["bury", "dead_letter_ids", "dead_letters", "exists", "remove"]

_INSERT = """
    insert into dead_letters (account, message, time_ms, status, response_headers, response_body)
    values (?, ?, ?, ?, ?, ?)
"""
_SELECT = """
    select d.n, d.time_ms{columns}
    from dead_letters d join messages m on m.seq = d.message join traits t on t.trait = m.trait
    where d.account = :account and d.n {beyond} :after and {conditions}
    order by d.n {direction} limit :limit
"""
_LETTER = f", d.status, d.response_headers, d.response_body, {MESSAGE_COLUMNS}"
_EXISTS = "select 1 from dead_letters where account = ? and n = ? and time_ms = ?"
_DELETE = "delete from dead_letters where account = ? and n = ? and time_ms = ?"
_ID = re.compile(r"(\d{1,15})-(\d{1,18})")


def bury(connection: Connection, attempt: Attempt, outcome: Outcome, now_ms: int) -> str:
    """Keep the message of a last failed attempt; returns its DLQ id."""
    row = (attempt.account, attempt.seq, now_ms, outcome.status, encode_headers(outcome.headers), outcome.body)
    return f"{now_ms}-{connection.execute(_INSERT, row).lastrowid}"


def dead_letters(
    connection: Connection, account: int, wanted: DlqFilter, *, cursor: str | None = None, limit: int
) -> Page[DeadLetter]:
    """One page of the entries that match."""
    rows = _select(connection, _LETTER, account, wanted, cursor, limit)
    return page_of(rows, limit, _id, _dead_letter)


def dead_letter_ids(
    connection: Connection, account: int, wanted: DlqFilter, *, cursor: str | None = None, limit: int
) -> Page[str]:
    """One page of the ids of the entries that match."""
    return page_of(_select(connection, "", account, wanted, cursor, limit), limit, _id, _id)


def exists(connection: Connection, account: int, dlq_id: str) -> bool:
    """Whether there is such an entry."""
    place = _place(dlq_id)
    return place is not None and connection.execute(_EXISTS, (account, *place)).fetchone() is not None


def remove(connection: Connection, account: int, dlq_id: str) -> bool:
    """Take one entry out; whether it was there."""
    place = _place(dlq_id)
    return place is not None and connection.execute(_DELETE, (account, *place)).rowcount == 1


def _place(dlq_id: str) -> tuple[int, int] | None:
    """Number and time of a DLQ id; None if it has not the form of one, so that there can be no such entry."""
    match = _ID.fullmatch(dlq_id)
    return (int(match[2]), int(match[1])) if match else None


def _id(row: Sequence[Any]) -> str:
    return f"{row[1]}-{row[0]}"


def _dead_letter(row: Sequence[Any]) -> DeadLetter:
    status, headers, body, *message = row[2:]
    return DeadLetter(_id(row), message_of_row(message), status, decode_headers(headers), body)


def _select(
    connection: Connection, columns: str, account: int, wanted: DlqFilter, cursor: str | None, limit: int
) -> Cursor:
    conditions = _conditions(wanted)
    query = _SELECT.format(
        columns=columns,
        conditions=conditions.sql,
        beyond=">" if wanted.earliest_first else "<",
        direction="asc" if wanted.earliest_first else "desc",
    )
    start = after(cursor, earliest_first=wanted.earliest_first)
    return connection.execute(query, {"account": account, "after": start, "limit": limit + 1, **conditions.parameters})


def _conditions(wanted: DlqFilter) -> Conditions:
    conditions = Conditions()
    if wanted.dlq_ids:
        places = [place for place in map(_place, wanted.dlq_ids) if place is not None]
        conditions.one_of("d.n", "numbers", [n for n, _ in places] or [-1])
        # The number finds the row, the whole id has the last word.
        conditions.one_of("d.time_ms || '-' || d.n", "dlq_ids", wanted.dlq_ids)
    conditions.one_of("m.id", "ids", wanted.message_ids)
    trait_conditions(conditions, wanted)
    conditions.one_of("d.status", "statuses", wanted.response_statuses)
    conditions.between("d.time_ms", wanted.from_ms, wanted.to_ms)
    return conditions
