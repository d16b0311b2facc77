"""The claims: one row an event that was processed. Plain functions over a connection whose transaction is open."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

__all__ = ["claim", "prune", "release"]

_CLAIM: Final = "insert into claims (event_id, claimed_at_ms) values (?, ?) on conflict do nothing"
_PRUNE: Final = (
    "delete from claims where event_id in "
    "(select event_id from claims where claimed_at_ms < :before_ms order by claimed_at_ms limit :limit)",
    "delete from callbacks where (message_id, outcome, retried) in "
    "(select message_id, outcome, retried from callbacks where reported_at_ms < :before_ms "
    "order by reported_at_ms limit :limit)",
)


def claim(connection: sqlite3.Connection, event_id: str, now_ms: int) -> bool:
    """Claim the event; False if it was claimed before."""
    return connection.execute(_CLAIM, (event_id, now_ms)).rowcount == 1


def release(connection: sqlite3.Connection, event_ids: Sequence[str]) -> frozenset[str]:
    """Forget the claims of ``event_ids``; those that had one."""
    delete = "delete from claims where event_id = ?"
    return frozenset(event_id for event_id in event_ids if connection.execute(delete, (event_id,)).rowcount == 1)


def prune(connection: sqlite3.Connection, before_ms: int, limit: int) -> int:
    """Delete the oldest claims and callbacks, at most ``limit`` of each."""
    parameters = {"before_ms": before_ms, "limit": limit}
    return sum(connection.execute(sql, parameters).rowcount for sql in _PRUNE)
