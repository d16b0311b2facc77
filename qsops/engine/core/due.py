"""What is due: the attempts that may start now, and when the next one may."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Connection, Cursor
from typing import Any, Final

from qsops.engine.core.attempts import Attempt
from qsops.engine.core.rows import MESSAGE_COLUMNS, MESSAGE_TABLES, message_of_row

__all__ = ["Due", "due", "next_due_ms"]

_PENDING: Final = """
    select message, account, due_ms from progress
    where stage = 0 and due_ms is not null {not_of}
    order by due_ms, message limit ?
"""
_NOT_OF: Final = "and account not in (select value from json_each(?))"
#: All in one statement: to begin one costs more than a row does.
_ATTEMPTS: Final = f"""
    select m.seq, p.account, m.trait, p.retried, a.signing_current, p.cancel_requested_ms is not null, p.gated,
        {MESSAGE_COLUMNS}
    from json_each(?) wanted cross join {MESSAGE_TABLES} join progress p on p.message = m.seq
        join accounts a on a.account = p.account
    where m.seq = wanted.value
"""


@dataclass(frozen=True, slots=True)
class Due:
    """``attempts`` may start now; the next falls due at ``next_ms``, None if no other is pending.

    ``held``: there may be others that are due, and wait only until one that is under way has ended.
    """

    attempts: list[Attempt]
    next_ms: int | None = None
    held: bool = False


def due(
    connection: Connection,
    now_ms: int,
    *,
    limit: int,
    in_flight: Mapping[int, int],
    per_account: int | None = None,
) -> Due:
    """The next ``limit`` attempts in the order they fell due, equal ones in the order of acceptance.

    A message stays due until its attempt is settled; ``in_flight`` are those that the caller has already started, with
    the account of each. No account has more than ``per_account`` under way.
    """
    chosen: list[int] = []
    under_way, full = Counter(in_flight.values()), _full(in_flight, per_account)
    next_ms, held = None, bool(full)
    for seq, account, due_ms in _pending(connection, limit + 1, in_flight, full):
        if seq in in_flight:
            continue
        if due_ms > now_ms:
            next_ms = due_ms
            break
        if len(chosen) == limit:
            next_ms, held = now_ms, True
            break
        if per_account is not None and under_way[account] >= per_account:
            # It has filled up just now, and may hide others: to be looked at again without it.
            next_ms, held = now_ms, True
            continue
        under_way[account] += 1
        chosen.append(seq)
    return Due(_attempts(connection, chosen), next_ms, held)


def next_due_ms(connection: Connection, in_flight: Mapping[int, int], per_account: int | None = None) -> int | None:
    """When the earliest message falls due that is not in flight, and whose account has room; None if there is none."""
    rows = _pending(connection, 1, in_flight, _full(in_flight, per_account))
    return next((int(due_ms) for seq, _, due_ms in rows if seq not in in_flight), None)


def _full(in_flight: Mapping[int, int], per_account: int | None) -> list[int]:
    """The accounts that have no room."""
    if per_account is None:
        return []
    return [account for account, count in Counter(in_flight.values()).items() if count >= per_account]


def _pending(connection: Connection, limit: int, in_flight: Mapping[int, int], full: Sequence[int]) -> Cursor:
    """``limit`` rows and as many more as may be in flight, without those of accounts that are ``full``."""
    most = limit + len(in_flight)
    if not full:
        return connection.execute(_PENDING.format(not_of=""), (most,))
    return connection.execute(_PENDING.format(not_of=_NOT_OF), (json.dumps([*full]), most))


def _attempts(connection: Connection, seqs: list[int]) -> list[Attempt]:
    """The attempts of ``seqs``, in that order."""
    if not seqs:
        return []
    rows = connection.execute(_ATTEMPTS, (json.dumps(seqs),)).fetchall()
    known = {row[0]: row for row in rows}
    return [_attempt(*known[seq]) for seq in seqs]


def _attempt(
    seq: int, account: int, trait: int, retried: int, key: str, canceled: int, gated: int, *columns: Any
) -> Attempt:
    return Attempt(seq, account, trait, message_of_row(columns), retried, key, bool(canceled), bool(gated))
