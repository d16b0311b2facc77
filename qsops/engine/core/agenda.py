"""What falls due beside attempts: messages before their gates, windows that end, deadlines, schedules, retention."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.firing import fire_due, next_firing_ms
from qsops.engine.core.flow import due_flows, next_wake_ms
from qsops.engine.core.gates import arrive_due, open_flow
from qsops.engine.core.retention import next_prune_ms, prune_overdue
from qsops.engine.core.terms import Terms
from qsops.engine.core.waiters import expire_due, next_deadline_ms
from qsops.engine.plans import Plan

__all__ = ["next_chore_ms", "next_gate_ms", "run_chores"]

#: Keys that are looked at in one transaction; the others are still due behind it.
_KEYS_AT_ONCE: Final = 100

_NEXT_KNOCK: Final = "select min(due_ms) from progress where stage = 1 and due_ms is not null"


def next_chore_ms(connection: Connection, plan: Plan) -> int | None:
    """When :func:`run_chores` has something to do; None if nothing is planned."""
    return _first(
        next_gate_ms(connection),
        next_firing_ms(connection),
        next_deadline_ms(connection),
        next_prune_ms(connection, plan),
    )


def next_gate_ms(connection: Connection) -> int | None:
    """When something changes for a message that is before its gates, or at one; None if time alone changes nothing."""
    (knock_ms,) = connection.execute(_NEXT_KNOCK).fetchone()
    return _first(knock_ms, next_wake_ms(connection))


def run_chores(connection: Connection, now_ms: int, terms: Terms) -> None:
    """Do what has fallen due; what is more than one transaction should hold is left for the next call.

    A message that was there before comes before its gates ahead of those that are made now.
    """
    arrive_due(connection, now_ms)
    for flow in due_flows(connection, now_ms, _KEYS_AT_ONCE):
        open_flow(connection, flow, now_ms)
    expire_due(connection, now_ms, terms)
    fire_due(connection, now_ms, terms)
    overdue_ms = next_prune_ms(connection, terms.plan)
    if overdue_ms is not None and overdue_ms <= now_ms:
        prune_overdue(connection, now_ms, terms.plan)


def _first(*times: int | None) -> int | None:
    return min((at_ms for at_ms in times if at_ms is not None), default=None)
