"""Retention: a finished message is forgotten with its log and its dead letter, once its plan keeps it no longer."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.flow import forget_idle
from qsops.engine.core.traits import forget_unused
from qsops.engine.plans import Plan

__all__ = ["next_prune_ms", "prune", "prune_at_ms", "prune_overdue"]

#: Each settled attempt clears away this many old messages, so that no single one pays for a long pause.
_CLEARED_EACH: Final = 2
#: What no attempt has cleared away within a minute is cleared by itself, so many in one transaction.
_OVERDUE_MS: Final = 60_000
_CLEARED_AT_ONCE: Final = 500

_OLD: Final = """
    select p.message, m.trait from progress p join messages m on m.seq = p.message
    where p.prune_ms <= ? order by p.prune_ms limit ?
"""
_OLDEST_LETTERS: Final = "select n, time_ms from dead_letters order by n limit ?"
_NEXT_MESSAGE: Final = "select min(prune_ms) from progress where prune_ms is not null"
_NEXT_LETTER: Final = "select time_ms from dead_letters order by n limit 1"
_DELETE_LETTER: Final = "delete from dead_letters where n = ?"
_DELETES: Final = (
    "delete from log where message = ?",
    "delete from dead_letters where message = ?",
    "delete from progress where message = ?",
    "delete from messages where seq = ?",
)


def prune_at_ms(plan: Plan, finished_ms: int, *, buried: bool = False) -> int | None:
    """When a message that has finished may be forgotten; None if ``plan`` keeps it for ever.

    A dead letter keeps its message as long as the dead letter queue would, even where the log is shorter.
    """
    kept = [plan.log_retention_ms, *([plan.dlq_retention_ms] if buried else [])]
    known = [ms for ms in kept if ms is not None]
    return finished_ms + max(known) if len(known) == len(kept) else None


def next_prune_ms(connection: Connection, plan: Plan) -> int | None:
    """When :func:`prune_overdue` has something to do; None if nothing is ever to be forgotten."""
    (message_ms,) = connection.execute(_NEXT_MESSAGE).fetchone()
    letter = connection.execute(_NEXT_LETTER).fetchone()
    letter_ms = None if letter is None or plan.dlq_retention_ms is None else letter[0] + plan.dlq_retention_ms
    known = [ms for ms in (message_ms, letter_ms) if ms is not None]
    return min(known) + _OVERDUE_MS if known else None


def prune_overdue(connection: Connection, now_ms: int, plan: Plan) -> None:
    """Forget what has had its time, though no attempt has come to clear it away."""
    _prune(connection, now_ms, _CLEARED_AT_ONCE, plan)


def prune(connection: Connection, now_ms: int, settled: int, plan: Plan) -> None:
    """Forget some of what has had its time: messages, dead letters, keys; in proportion to the ``settled`` attempts."""
    _prune(connection, now_ms, settled * _CLEARED_EACH, plan)


def _prune(connection: Connection, now_ms: int, most: int, plan: Plan) -> None:
    for seq, trait in connection.execute(_OLD, (now_ms, most)).fetchall():
        for delete in _DELETES:
            connection.execute(delete, (seq,))
        forget_unused(connection, trait)
    if plan.log_retention_ms is not None:
        forget_idle(connection, now_ms - plan.log_retention_ms, most)
    if plan.dlq_retention_ms is not None:
        until_ms = now_ms - plan.dlq_retention_ms
        letters = connection.execute(_OLDEST_LETTERS, (most,)).fetchall()
        connection.executemany(_DELETE_LETTER, [(n,) for n, time_ms in letters if time_ms <= until_ms])
