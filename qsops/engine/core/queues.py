"""Queues as rows."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

__all__ = ["queue_of"]

_MEET: Final = """
    insert into queues (account, name, created_ms, updated_ms) values (?, ?, ?, ?)
    on conflict (account, name) do nothing
"""
_NUMBER: Final = "select queue from queues where account = ? and name = ?"


def queue_of(connection: Connection, account: int, name: str, now_ms: int) -> int:
    """The number of the queue ``name``, which is made, one message at a time, if there is none."""
    row = connection.execute(_NUMBER, (account, name)).fetchone()
    if row is None:
        connection.execute(_MEET, (account, name, now_ms, now_ms))
        row = connection.execute(_NUMBER, (account, name)).fetchone()
    return int(row[0])
