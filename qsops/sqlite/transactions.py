"""Transactions that are not lost, and do not come back from the dead."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["commit", "transaction", "undo"]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Begin, and commit at the end; an exception undoes what was done within."""
    connection.execute("begin immediate")
    try:
        yield
    except BaseException:
        undo(connection)
        raise
    commit(connection)


def commit(connection: sqlite3.Connection) -> None:
    """Commit. When that fails, nothing has happened: not now, and not after the next start either.

    A commit whose fsync failed stands in the write-ahead log, its mark included. This process knows that it does not
    count, but the next one to open the file would take it for committed. So its place in the log is written over.
    """
    try:
        connection.execute("commit")
    except BaseException:
        undo(connection)
        _write_over(connection)
        raise


def undo(connection: sqlite3.Connection) -> None:
    """Roll back, unless SQLite has done so by itself."""
    if connection.in_transaction:
        connection.execute("rollback")


def _write_over(connection: sqlite3.Connection) -> None:
    """Write something that changes nothing; that its own commit may fail as well does not matter."""
    try:
        (version,) = connection.execute("pragma user_version").fetchone()
        connection.execute("begin immediate")
        connection.execute(f"pragma user_version = {version}")
        connection.execute("commit")
    except sqlite3.Error:
        undo(connection)
