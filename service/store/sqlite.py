"""The store on SQLite: durable at each answer, many deliveries a commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from qsops.models import CallbackReport, LedgerEntry, Page
from qsops.sqlite import Database, Operation, migrations_in
from service.errors import StoreUnavailable
from service.store import claims, erasure, failures, ledger, outbox
from service.store.port import (
    Backlog,
    Cause,
    Effects,
    FailureGroup,
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
    """A :class:`~service.store.port.Store` in one file, or ``:memory:``."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._database: Database | None = None
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

    async def take(
        self, now_ms: int, limit: int, until_ms: int, *, everything: bool = False, after: int = 0
    ) -> list[Queued | Unreadable]:
        return await self._submit(
            lambda connection: outbox.take(connection, now_ms, limit, until_ms, after, everything=everything)
        )

    async def settle(self, verdicts: Sequence[tuple[Queued | Unreadable, Verdict]], now_ms: int) -> None:
        def operation(connection: sqlite3.Connection) -> None:
            for row, verdict in verdicts:
                outbox.settle(connection, row.row_id, verdict)
                _tell_ledger(connection, row.event_id, verdict, now_ms)

        await self._submit(operation)

    async def backlog(self) -> Backlog:
        return self._read(outbox.backlog)

    async def report(
        self, report: CallbackReport, outcome: str, event_id: str | None, now_ms: int, cause: Cause | None = None
    ) -> bool:
        def operation(connection: sqlite3.Connection) -> bool:
            is_new = _insert_callback(connection, report, outcome, event_id, now_ms)
            if is_new and outcome == "failure":
                ledger.mark_dead(connection, report, event_id)
            if is_new and cause is not None:
                _execute(connection, failures.add(cause, now_ms))
            return is_new

        return await self._submit(operation)

    async def untold(self, now_ms: int, until_ms: int, quiet_since_ms: int, limit: int) -> list[FailureGroup]:
        statement = failures.untold(now_ms, until_ms, quiet_since_ms, limit)
        rows = await self._submit(lambda connection: _execute(connection, statement).fetchall())
        return [failures.group_of(row) for row in rows]

    async def told(self, group: FailureGroup, now_ms: int) -> None:
        def operation(connection: sqlite3.Connection) -> None:
            for statement in failures.told(group, now_ms):
                _execute(connection, statement)

        await self._submit(operation)

    async def ledger(self, which: LedgerFilter, cursor: int, limit: int) -> Page[LedgerEntry]:
        return self._read(lambda connection: ledger.page(connection, which, cursor, limit))

    async def release(self, event_ids: Sequence[str]) -> frozenset[str]:
        return await self._submit(lambda connection: claims.release(connection, event_ids))

    async def prune(self, claimed_before_ms: int, limit: int) -> int:
        return await self._submit(lambda connection: claims.prune(connection, claimed_before_ms, limit))

    async def erase(self, sender: str, *, dry_run: bool) -> Mapping[str, int]:
        try:
            return await self._submit(lambda connection: _erase(connection, sender, dry_run=dry_run))
        except _DryRun as found:
            return found.rows

    async def ping(self) -> None:
        await self._submit(lambda connection: connection.execute("select 1 from events limit 1").fetchall())

    async def open(self) -> None:
        self._opened()

    async def aclose(self) -> None:
        self._closed = True
        if self._database is not None:
            self._database.close()
            self._database = None

    def _opened(self) -> Database:
        if self._closed:
            raise StoreUnavailable(f"the database {self._path} is closed")
        if self._database is None:
            with _named(str(self._path)):
                self._database = Database(self._path, migrations_in("service.store.migrations"))
        return self._database

    def _read(self, operation: Operation[T]) -> T:
        database = self._opened()
        with _named(database.path):
            return database.read(operation)

    async def _submit(self, operation: Operation[T]) -> T:
        database = self._opened()
        with _named(database.path):
            return await database.submit(operation)


class _DryRun(Exception):
    """Undoes an erasure, and tells what it found."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        super().__init__()
        self.rows = rows


def _erase(connection: sqlite3.Connection, sender: str, *, dry_run: bool) -> Mapping[str, int]:
    steps = erasure.steps(sender, outbox.speaking_of(sender))
    try:
        statement = next(steps)
        while True:
            statement = steps.send(connection.execute(statement.sql, statement.parameters).fetchall())
    except StopIteration as end:
        if dry_run:
            raise _DryRun(end.value) from None
        return end.value  # type: ignore[no-any-return]


def _commit(connection: sqlite3.Connection, effects: Effects, now_ms: int) -> bool:
    claimed = claims.claim(connection, effects.entry.event_id, now_ms)
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


def _execute(connection: sqlite3.Connection, statement: Statement) -> sqlite3.Cursor:
    return connection.execute(statement.sql, statement.parameters)


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
