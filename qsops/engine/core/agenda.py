"""What falls due beside attempts: messages that come before their gates, and keys whose window has ended."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.flow import due_flows, next_wake_ms
from qsops.engine.core.gates import arrive_due, open_flow

__all__ = ["next_chore_ms", "run_chores"]

_NEXT_KNOCK: Final = "select min(due_ms) from progress where stage = 1 and due_ms is not null"


def next_chore_ms(connection: Connection) -> int | None:
    """When :func:`run_chores` has something to do; None if nothing is planned."""
    (knock_ms,) = connection.execute(_NEXT_KNOCK).fetchone()
    times = (knock_ms, next_wake_ms(connection))
    return min((at_ms for at_ms in times if at_ms is not None), default=None)


def run_chores(connection: Connection, now_ms: int) -> None:
    """Do what has fallen due; what is more than one transaction should hold is left for the next call."""
    arrive_due(connection, now_ms)
    for flow in due_flows(connection, now_ms):
        open_flow(connection, flow, now_ms)
