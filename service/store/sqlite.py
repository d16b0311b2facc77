"""The store on SQLite: durable at each answer, many deliveries a commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from qsops.models import CallbackReport, LedgerEntry, Page
from qsops.sqlite import Database, Operation, migrations_in
from service.errors import StoreUnavailable
from service.store import ledger, outbox
from service.store.port import (
    Backlog,
    Effects,
    LedgerFilter,
    Outgoing,
    Queued,
    Row,
    Sent,
    Statement,
    Unreadable,
    Verdict,
)
from service.store.port import Parked as ParkedVerdict

__all__ = ["SqliteStore"]

T = TypeVar("T")

# What says that the database is away or cannot be written, and not that a statement is wrong.
_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
_PRIMARY_CODE: Final = 0xFF


class SqliteStore:
    """A :class:`~service.store.port.Store` in one file, or ``:memory:``.

    :raises Corrupt: when the file is no database of ours, or a newer one.
    :raises StoreUnavailable: when it cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        with _named(str(path)):
            self._database = Database(path, migrations_in("service.store.migrations"))
        self._closed = False

    async def known(self, event_ids: Sequence[str]) -> frozenset[str]:
        return self._read(lambda connection: ledger.known(connection, event_ids))

    async def record(self, entries: Sequence[LedgerEntry], outgoing: Sequence[Outgoing], now_ms: int) -> None:
        def operation(connection: sqlite3.Connection) -> None:
            ledger.record(connection, entries)
            outbox.insert(connection, outgoing, now_ms)

        await self._submit(operation)

    async def commit(self, effects: Effects, now_ms: int) -> bool:
        return await self._submit(lambda connection: _commit(connection, effects, now_ms))

    async def fetch(self, statement: Statement) -> list[Row]:
        return self._read(lambda connection: _rows(connection.execute(statement.sql, statement.parameters)))

    async def due(self, now_ms: int | None, limit: int, after: int = 0) -> list[Queued | Unreadable]:
        return self._read(lambda connection: outbox.due(connection, now_ms, limit, after))

    async def settle(self, verdicts: Sequence[tuple[Queued | Unreadable, Verdict]], now_ms: int) -> None:
        def operation(connection: sqlite3.Connection) -> None:
            for row, verdict in verdicts:
                outbox.settle(connection, row.row_id, verdict)
                _tell_ledger(connection, row.event_id, verdict, now_ms)

        await self._submit(operation)

    async def backlog(self) -> Backlog:
        return self._read(outbox.backlog)

    async def report(self, report: CallbackReport, outcome: str, event_id: str | None, now_ms: int) -> bool:
        def operation(connection: sqlite3.Connection) -> bool:
            is_new = _insert_callback(connection, report, outcome, event_id, now_ms)
            if is_new and outcome == "failure":
                ledger.mark_dead(connection, report, event_id)
            return is_new

        return await self._submit(operation)

    async def ledger(self, which: LedgerFilter, cursor: int, limit: int) -> Page[LedgerEntry]:
        return self._read(lambda connection: ledger.page(connection, which, cursor, limit))

    async def ping(self) -> None:
        await self._submit(lambda connection: connection.execute("select 1 from events limit 1").fetchall())

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._database.close()

    def _read(self, operation: Operation[T]) -> T:
        with _named(self._database.path):
            return self._database.read(operation)

    async def _submit(self, operation: Operation[T]) -> T:
        with _named(self._database.path):
            return await self._database.submit(operation)


def _commit(connection: sqlite3.Connection, effects: Effects, now_ms: int) -> bool:
    claim = connection.execute(
        "insert into claims (event_id, claimed_at_ms) values (?, ?) on conflict do nothing",
        (effects.entry.event_id, now_ms),
    )
    claimed = claim.rowcount == 1
    ledger.record_delivery(connection, effects.entry, claimed=claimed)
    if claimed:
        for statement in effects.statements:
            connection.execute(statement.sql, statement.parameters)
        outbox.insert(connection, effects.outgoing, now_ms)
    return claimed


def _tell_ledger(connection: sqlite3.Connection, event_id: str | None, verdict: Verdict, now_ms: int) -> None:
    if event_id is None:
        return
    if isinstance(verdict, Sent):
        ledger.mark_published(connection, event_id, verdict.message_id, now_ms)
    elif isinstance(verdict, ParkedVerdict):
        ledger.mark_parked(connection, event_id, verdict.reason)


def _insert_callback(
    connection: sqlite3.Connection, report: CallbackReport, outcome: str, event_id: str | None, now_ms: int
) -> bool:
    inserted = connection.execute(
        "insert into callbacks (message_id, retried, outcome, event_id, status, dlq_id, reported_at_ms) "
        "values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
        (report.source_message_id, report.retried, outcome, event_id, report.status, report.dlq_id, now_ms),
    )
    return inserted.rowcount == 1


def _rows(cursor: sqlite3.Cursor) -> list[Row]:
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def _named(path: str) -> Iterator[None]:
    """A database that is away is no fault of the statement, nor of the event: say so."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None or code & _PRIMARY_CODE not in _AWAY:
            raise
        raise StoreUnavailable(f"the database {path} is away: {error}") from error
    except OSError as error:
        raise StoreUnavailable(f"the database {path} is away: {error}") from error
