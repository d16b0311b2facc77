"""One SQLite file with one writer: operations that wait together are committed together.

A commit at ``synchronous=FULL`` costs an fsync whatever it holds, so :meth:`Database.submit` gathers the operations
that arrive while a commit runs and commits them as the next group. An operation is a function of the connection; it
sees a transaction that is already open, and must not commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from qsops.errors import Corrupt

__all__ = ["Database", "Operation", "migrations_in"]

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]

_BUSY_TIMEOUT_MS = 5_000
_GROUP_LIMIT = 512


def migrations_in(package: str) -> list[str]:
    """The texts of the ``*.sql`` files of ``package`` in the order of their names; file n makes schema version n.

    Each statement ends a line.
    """
    steps = sorted(
        (step for step in files(package).iterdir() if step.name.endswith(".sql")), key=lambda step: step.name
    )
    return [step.read_text(encoding="utf-8") for step in steps]


@dataclass(slots=True)
class _Waiting:
    """An operation of a group, and who waits for it."""

    operation: Operation[Any]
    done: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Database:
    """A database file, or ``:memory:``, brought to the newest of ``migrations``.

    :raises Corrupt: when the file is no database, or was written by a newer version.
    """

    def __init__(
        self, path: str | Path, migrations: Sequence[str], *, synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL"
    ) -> None:
        self.path = str(path)
        in_memory = self.path == ":memory:"
        if not in_memory:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = self._connect(synchronous)
        try:
            _migrate(self._writer, migrations, self.path)
        except BaseException:
            self._writer.close()
            raise
        # Readers of a file never wait for the writer; a database in memory is its one connection.
        self._reader = self._writer if in_memory else self._connect(synchronous)
        self._writing = threading.RLock()
        self._reading = self._writing if in_memory else threading.RLock()
        self._gathering = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._draining = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qsops-writer")

    def write(self, operation: Operation[T]) -> T:
        """Run ``operation`` in a transaction of its own, on this thread; an exception undoes it."""
        with self._writing, _transaction(self._writer):
            return operation(self._writer)

    def read(self, operation: Operation[T]) -> T:
        """Run ``operation`` on what has been committed, as one snapshot, on this thread."""
        with self._reading:
            if self._reader.in_transaction:
                return operation(self._reader)
            self._reader.execute("begin")
            try:
                return operation(self._reader)
            finally:
                self._reader.execute("rollback")

    async def submit(self, operation: Operation[T]) -> T:
        """Run ``operation`` in the next group; returns once the group is committed.

        An operation that raises is undone alone, and raises here. When the commit itself fails, every operation of the
        group raises that error and none has taken effect.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(operation, loop.create_future())
        with self._gathering:
            self._waiting.append(waiting)
            start, self._draining = not self._draining, True
        if start:
            loop.run_in_executor(self._thread, self._drain)
        return await waiting.done  # type: ignore[no-any-return]

    def close(self) -> None:
        """Finish the groups that wait, then close the file."""
        self._thread.shutdown()
        self._writer.close()
        self._reader.close()

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_MS / 1000
        )
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute(f"pragma synchronous = {synchronous}")
            connection.execute("pragma foreign_keys = on")
        except sqlite3.DatabaseError as error:
            connection.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise Corrupt(f"{self.path} is not a SQLite database; name another file, or move it away") from error
            raise
        return connection

    def _drain(self) -> None:
        while True:
            with self._gathering:
                group, self._waiting = self._waiting[:_GROUP_LIMIT], self._waiting[_GROUP_LIMIT:]
                if not group:
                    self._draining = False
                    return
            self._commit(group)
            _hand_out(group)

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            with self._writing, _transaction(self._writer):
                for waiting in group:
                    self._run_alone(waiting)
        except BaseException as error:  # noqa: BLE001  # it belongs to those who wait, whatever it is
            for waiting in group:
                waiting.error = error

    def _run_alone(self, waiting: _Waiting) -> None:
        self._writer.execute("savepoint one")
        try:
            waiting.result = waiting.operation(self._writer)
        except Exception as error:
            # A full disk makes SQLite roll the whole transaction back; then the group fails as one.
            if not self._writer.in_transaction:
                raise
            self._writer.execute("rollback to one")
            waiting.error = error
        self._writer.execute("release one")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _hand_out(group: list[_Waiting]) -> None:
    """Tell each of ``group`` on the loop that it waits on."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in group:
        by_loop.setdefault(waiting.done.get_loop(), []).append(waiting)
    for loop, members in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, members)
        except RuntimeError:
            if not loop.is_closed():  # with its loop, whoever waited is gone; the operations stand all the same
                raise


def _resolve(group: list[_Waiting]) -> None:
    for waiting in group:
        if waiting.done.done():  # whoever waited was cancelled; the operation stands all the same
            continue
        if waiting.error is not None:
            waiting.done.set_exception(waiting.error)
        else:
            waiting.done.set_result(waiting.result)


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str], path: str) -> None:
    with _transaction(connection):  # two processes that start together take turns here
        (version,) = connection.execute("pragma user_version").fetchone()
        if version > len(migrations):
            raise Corrupt(
                f"{path} has schema version {version}, this qsops knows up to {len(migrations)}: "
                "open it with the newer version that wrote it, or name another file"
            )
        for step in migrations[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"pragma user_version = {len(migrations)}")


def _statements(script: str) -> Iterator[str]:
    """The statements of ``script`` one by one: ``executescript`` would commit the transaction around them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
