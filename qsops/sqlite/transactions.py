"""Transactions that are not lost, and do not come back from the dead."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["commit", "into_wal", "transaction", "undo"]

_PRIMARY_CODE: Final = 0xFF
_LOOKS: Final = 250
_LOOK_AGAIN_S: Final = 0.02


def into_wal(connection: sqlite3.Connection) -> None:
    """Let the file have a write-ahead log.

    Of processes that start together on a new file one may make it. For the others SQLite's own timeout does not hold.

    :raises sqlite3.OperationalError: when the file is locked for five seconds.
    """
    for look in range(_LOOKS):
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY or look == _LOOKS - 1:
                raise
            threading.Event().wait(_LOOK_AGAIN_S)


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
