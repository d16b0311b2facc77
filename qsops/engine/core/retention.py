"""Retention: a finished message is forgotten with its log and its dead letter, once its plan keeps it no longer."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.flow import forget_idle
from qsops.engine.core.traits import forget_unused
from qsops.engine.plans import Plan

__all__ = ["prune", "prune_at_ms"]

#: Each settled attempt clears away this many old messages, so that no single one pays for a long pause.
_CLEARED_EACH: Final = 2

_OLD: Final = """
    select p.message, m.trait from progress p join messages m on m.seq = p.message
    where p.prune_ms <= ? order by p.prune_ms limit ?
"""
_OLDEST_LETTERS: Final = "select n, time_ms from dead_letters order by n limit ?"
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


def prune(connection: Connection, now_ms: int, settled: int, plan: Plan) -> None:
    """Forget some of what has had its time: messages, dead letters, keys; in proportion to the ``settled`` attempts."""
    most = settled * _CLEARED_EACH
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
