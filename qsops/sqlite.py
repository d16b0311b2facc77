"""One SQLite file with one writer: operations that wait together are committed together.

A commit at ``synchronous=FULL`` costs an fsync whatever it holds, so :meth:`Database.submit` gathers the operations
that arrive while a commit runs and commits them as the next group. An operation is a function of the connection; it
sees a transaction that is already open, and must not commit.

The statements of a group run on the loop, and its commit on a thread: the fsync is what takes time, while a thread that
runs statements beside a busy loop waits for the interpreter's lock at each of them.
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
#: A connection's page cache, and how many of its statements stay prepared.
_CACHE_KIB = 16_384
_STATEMENTS = 256
#: The write-ahead log is brought home after so many pages of 4 KiB: rarely enough that hot pages are written once.
_CHECKPOINT_PAGES = 4_000


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
        self._in_memory = self.path == ":memory:"
        if not self._in_memory:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = self._connect(synchronous)
        try:
            _migrate(self._writer, migrations, self.path)
        except BaseException:
            self._writer.close()
            raise
        # Readers of a file never wait for the writer; a database in memory is its one connection.
        self._reader = self._writer if self._in_memory else self._connect(synchronous)
        # A group is begun on the loop and ended on a thread, so these belong to no thread.
        self._writing = threading.Lock()
        self._reading = self._writing if self._in_memory else threading.Lock()
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
            # At the end of this turn of the loop: whoever submits within it rides in the same group.
            loop.call_soon(self._next_group, loop)
        return await waiting.done  # type: ignore[no-any-return]

    def pragma(self, name: str) -> str | int:
        """What the writer's connection says of one of its settings, e.g. ``synchronous`` (2 is FULL)."""
        with self._writing:
            (value,) = self._writer.execute(f"pragma {name}").fetchone()
        return value  # type: ignore[no-any-return]

    def close(self) -> None:
        """Finish the groups that wait, then close the file."""
        self._thread.shutdown()
        self._drain()
        self._writer.close()
        self._reader.close()

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_TIMEOUT_MS / 1000,
            cached_statements=_STATEMENTS,
        )
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute(f"pragma synchronous = {synchronous}")
            connection.execute("pragma foreign_keys = on")
            connection.execute(f"pragma cache_size = -{_CACHE_KIB}")
            connection.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        except sqlite3.DatabaseError as error:
            connection.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise Corrupt(f"{self.path} is not a SQLite database; name another file, or move it away") from error
            raise
        return connection

    def _next_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what waits, on the loop, and hand its commit to the thread; in memory there is no fsync to wait for."""
        group = self._take_group()
        if not group:
            return
        if self._in_memory:
            self._run_whole(group)
            _hand_out(group)
            loop.call_soon(self._next_group, loop)
        elif self._begin_at_once(group):
            loop.run_in_executor(self._thread, self._end_and_go_on, group, loop)
        else:
            # Another process, or a thread of this one, writes now: the loop must not wait for it.
            loop.run_in_executor(self._thread, self._whole_and_go_on, group, loop)

    def _begin_at_once(self, group: list[_Waiting]) -> bool:
        """Run the statements of ``group`` in a transaction that stays open; False if that cannot be begun now."""
        if not self._writing.acquire(blocking=False):
            return False
        try:
            self._writer.execute("pragma busy_timeout = 0")
            try:
                self._writer.execute("begin immediate")
            finally:
                self._writer.execute(f"pragma busy_timeout = {_BUSY_TIMEOUT_MS}")
        except sqlite3.Error:
            self._writing.release()
            return False
        self._run_each(group)
        return True

    def _end_and_go_on(self, group: list[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._end(group)
        finally:
            self._writing.release()
        self._go_on(group, loop)

    def _whole_and_go_on(self, group: list[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        self._run_whole(group)
        self._go_on(group, loop)

    def _go_on(self, group: list[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        _hand_out(group)
        try:
            loop.call_soon_threadsafe(self._next_group, loop)
        except RuntimeError:  # the loop was closed meanwhile; what others wait for is not lost with it
            self._drain()

    def _run_whole(self, group: list[_Waiting]) -> None:
        with self._writing:
            try:
                self._writer.execute("begin immediate")
            except sqlite3.Error as error:
                return _fail(group, error)
            self._run_each(group)
            return self._end(group)

    def _run_each(self, group: list[_Waiting]) -> None:
        """Run the operations within the transaction that is open; where it has to be given up, they all fail."""
        try:
            for waiting in group:
                self._run_alone(waiting)
        except BaseException as error:  # noqa: BLE001  # it belongs to those who wait, whatever it is
            self._undo()
            _fail(group, error)

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

    def _end(self, group: list[_Waiting]) -> None:
        """Commit, unless the transaction was given up already."""
        if not self._writer.in_transaction:
            return
        try:
            self._writer.execute("commit")
        except BaseException as error:  # noqa: BLE001  # as above
            self._undo()
            _fail(group, error)

    def _undo(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("rollback")

    def _take_group(self) -> list[_Waiting]:
        with self._gathering:
            group, self._waiting = self._waiting[:_GROUP_LIMIT], self._waiting[_GROUP_LIMIT:]
            self._draining = bool(group)
        return group

    def _drain(self) -> None:
        """Finish what waits without a loop to do it on."""
        while group := self._take_group():
            self._run_whole(group)
            _hand_out(group)


def _fail(group: list[_Waiting], error: BaseException) -> None:
    for waiting in group:
        waiting.error = error


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
