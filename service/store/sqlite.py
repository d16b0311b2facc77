"""The store on SQLite: durable at each answer, many deliveries a commit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from qsops.models import LedgerEntry
from qsops.sqlite import Database, Kind, Together, migrations_in
from service.errors import StoreUnavailable
from service.store import claims, receipts
from service.store.ordered import ordered
from service.store.steps import Many, Rows, Steps
from service.store.values import Effects, Outgoing, Row, Statement
from service.store.verbs import Verbs

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
_KIND: Final = Kind("the service", int.from_bytes(b"qsos"), "events")
_KNOWN: Final = "select event_id from events where event_id in (select value from json_each(?))"


class SqliteStore(Verbs):
    """A :class:`~service.store.port.Store` in one file, or ``:memory:``."""

    body_holds = "instr(body, cast(:needle as blob)) > 0"

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._database: Database | None = None
        self._closed = False

    async def record(self, entries: Sequence[LedgerEntry], outgoing: Sequence[Outgoing], now_ms: int) -> None:
        await self._submit_each(_record_all, (entries, outgoing, now_ms))

    async def receive(
        self, entries: Sequence[LedgerEntry], outgoing: Sequence[Outgoing], now_ms: int
    ) -> frozenset[str]:
        return await self._submit_each(_receive_all, (entries, outgoing, now_ms))

    async def commit(self, effects: Effects, now_ms: int) -> bool:
        return await self._submit_each(_commit_all, (effects, now_ms))

    async def known(self, event_ids: Sequence[str]) -> frozenset[str]:
        database = self._opened()
        with _named(database.path):
            asked = json.dumps(list(event_ids))
            return frozenset(
                event_id for (event_id,) in database.read(lambda found: found.execute(_KNOWN, (asked,)).fetchall())
            )

    async def fetch(self, statement: Statement) -> list[Row]:
        database = self._opened()
        with _named(database.path):
            return database.read(lambda found: _rows(found.execute(statement.sql, statement.parameters)))

    async def ping(self) -> None:
        database = self._opened()
        with _named(database.path):
            await database.submit(_touch)

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
                self._database = Database(self._path, migrations_in("service.store.migrations"), _KIND)
        return self._database

    async def _read(self, steps: Steps[T]) -> T:
        database = self._opened()
        with _named(database.path):
            return database.read(lambda connection: _run(connection, steps))

    async def _submit_each(self, together: Together[T], argument: Any) -> T:
        database = self._opened()
        # Without _named, which is a generator: this is done for each delivery.
        try:
            return await database.submit_each(together, argument)
        except (sqlite3.Error, OSError) as error:
            if _is_away(error):
                raise _away(error, database.path) from error
            raise

    async def _write(self, steps: Steps[T], within_s: float | None = None) -> T:
        database = self._opened()
        with _named(database.path):
            return await database.submit(lambda connection: _run(connection, steps))


def _record_all(connection: sqlite3.Connection, group: Sequence[receipts.Receipts]) -> list[None]:
    return _run(connection, receipts.record_all(group))


def _receive_all(connection: sqlite3.Connection, group: Sequence[receipts.Receipts]) -> list[frozenset[str]]:
    return _run(connection, receipts.receive_all(group))


def _commit_all(connection: sqlite3.Connection, group: Sequence[tuple[Effects, int]]) -> list[bool]:
    if len(group) == 1:
        # A handler may collect what no batch takes, such as a query.
        return [_run(connection, claims.commit(*group[0]))]
    return _run(connection, claims.commit_all(group))


def _run(connection: sqlite3.Connection, steps: Steps[T]) -> T:
    rows: Rows = ()
    try:
        step = next(steps)
        while True:
            if isinstance(step, Many):
                rows = ((_run_each(connection, step),),)
            else:
                rows = connection.execute(step.sql, step.parameters).fetchall()
            step = steps.send(rows)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _run_each(connection: sqlite3.Connection, step: Many) -> int:
    plain = ordered(step.sql)
    if plain is not None:
        sql, values = plain
        try:
            rows = list(map(values, step.rows))
        except KeyError:
            pass  # a value is missing, and the driver says which
        else:
            return connection.executemany(sql, rows).rowcount
    return connection.executemany(step.sql, step.rows).rowcount


def _rows(cursor: sqlite3.Cursor) -> list[Row]:
    names: list[Any] = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def _named(path: str) -> Iterator[None]:
    """A database that is away is no fault of the statement, nor of the event: say so."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if _is_away(error):
            raise _away(error, path) from error
        raise


def _is_away(error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE in _AWAY


def _away(error: Exception, path: str) -> StoreUnavailable:
    return StoreUnavailable(f"the database {path} is away: {error}")


def _touch(connection: sqlite3.Connection) -> None:
    """Write what stands there: a full disk takes the lock, and nothing more."""
    (version,) = connection.execute("pragma user_version").fetchone()
    connection.execute(f"pragma user_version = {version}")
