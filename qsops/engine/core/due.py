"""What is due: the attempts that may start now, and when the next one may."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from sqlite3 import Connection, Cursor
from typing import Final

from qsops.engine.core.attempts import Attempt
from qsops.engine.core.rows import MESSAGE_COLUMNS, MESSAGE_TABLES, message_of_row

__all__ = ["due", "next_due_ms"]

_DUE: Final = """
    select message, account from progress
    where stage = 0 and due_ms is not null and due_ms <= ? {not_of}
    order by due_ms, message limit ?
"""
_NEXT: Final = """
    select message, due_ms from progress
    where stage = 0 and due_ms is not null {not_of}
    order by due_ms, message limit ?
"""
_NOT_OF: Final = "and account not in (select value from json_each(?))"
_ATTEMPT: Final = f"""
    select p.account, m.trait, p.retried, a.signing_current, p.cancel_requested_ms is not null, p.gated,
        {MESSAGE_COLUMNS}
    from {MESSAGE_TABLES} join progress p on p.message = m.seq join accounts a on a.account = p.account
    where m.seq = ?
"""


def due(
    connection: Connection,
    now_ms: int,
    *,
    limit: int,
    in_flight: Mapping[int, int],
    per_account: int | None = None,
) -> list[Attempt]:
    """The next ``limit`` attempts in the order they fell due, equal ones in the order of acceptance.

    A message stays due until its attempt is settled; ``in_flight`` are those that the caller has already started, with
    the account of each. No account has more than ``per_account`` under way.
    """
    chosen = [*_choose(connection, now_ms, limit, in_flight, per_account)]
    return [_attempt(connection, seq) for seq in chosen]


def next_due_ms(connection: Connection, in_flight: Mapping[int, int], per_account: int | None = None) -> int | None:
    """When the earliest message falls due that is not in flight, and whose account has room; None if there is none."""
    rows = _rows(connection, _NEXT, (), 1, in_flight, per_account)
    return next((int(due_ms) for seq, due_ms in rows if seq not in in_flight), None)


def _choose(
    connection: Connection, now_ms: int, limit: int, in_flight: Mapping[int, int], per_account: int | None
) -> Iterator[int]:
    under_way = Counter(in_flight.values())
    for seq, account in _rows(connection, _DUE, (now_ms,), limit, in_flight, per_account):
        if limit <= 0:
            return
        if seq in in_flight or (per_account is not None and under_way[account] >= per_account):
            continue
        under_way[account] += 1
        limit -= 1
        yield seq


def _rows(
    connection: Connection,
    query: str,
    bound: tuple[int, ...],
    limit: int,
    in_flight: Mapping[int, int],
    per_account: int | None,
) -> Cursor:
    """``limit`` rows and as many more as may be in flight, without those of accounts that have no room."""
    full: list[int] = []
    if per_account is not None:
        full = [account for account, count in Counter(in_flight.values()).items() if count >= per_account]
    most = limit + len(in_flight)
    if not full:
        return connection.execute(query.format(not_of=""), (*bound, most))
    return connection.execute(query.format(not_of=_NOT_OF), (*bound, json.dumps(full), most))


def _attempt(connection: Connection, seq: int) -> Attempt:
    row = connection.execute(_ATTEMPT, (seq,)).fetchone()
    account, trait, retried, key, canceled, gated, *columns = row
    return Attempt(seq, account, trait, message_of_row(columns), retried, key, bool(canceled), bool(gated))
