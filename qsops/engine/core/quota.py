"""How many messages an account may still send today; a day ends at 00:00 UTC (seen on the service, reference 1.1)."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

__all__ = ["day_ends_s", "day_of", "spend", "spent"]

_DAY_MS: Final = 86_400_000

_SPENT: Final = "select messages from daily where account = ? and day = ?"
_FORGET: Final = "delete from daily where account = ? and day < ?"
_SPEND: Final = """
    insert into daily (account, day, messages) values (:account, :day, :count)
    on conflict (account, day) do update set messages = messages + :count
"""


def day_of(now_ms: int) -> int:
    """The day, counted from the beginning of 1970."""
    return now_ms // _DAY_MS


def day_ends_s(now_ms: int) -> int:
    """When the day ends, in unix seconds."""
    return (day_of(now_ms) + 1) * _DAY_MS // 1000


def spend(connection: Connection, account: int, day: int, count: int, limit: int) -> bool:
    """Count ``count`` more messages on ``day``; False, and nothing is counted, if that were over ``limit``."""
    if spent(connection, account, day) + count > limit:
        return False
    if count:
        connection.execute(_FORGET, (account, day))
        connection.execute(_SPEND, {"account": account, "day": day, "count": count})
    return True


def spent(connection: Connection, account: int, day: int) -> int:
    """How many were counted on ``day``."""
    row = connection.execute(_SPENT, (account, day)).fetchone()
    return row[0] if row else 0
