"""The database: where operations are gathered into groups, and who runs them.

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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from qsops.errors import Corrupt
from qsops.sqlite.group import Group, Operation, Together, Waiting
from qsops.sqlite.migrations import Kind, migrate, refuse_others
from qsops.sqlite.transactions import into_wal, transaction

__all__ = ["Database"]

T = TypeVar("T")

_BUSY_TIMEOUT_MS = 5_000
_GROUP_LIMIT = 512
#: A connection's page cache, and how many of its statements stay prepared.
_CACHE_KIB = 16_384
_STATEMENTS = 256
#: The write-ahead log is brought home after so many pages of 4 KiB: rarely enough that hot pages are written once.
_CHECKPOINT_PAGES = 4_000


class Database:
    """A database file of ``kind``, or ``:memory:``, brought to the newest of ``migrations``.

    :raises Corrupt: when the file is no database, is one of another kind, or was written by a newer version.
    """

    def __init__(
        self,
        path: str | Path,
        migrations: Sequence[str],
        kind: Kind | None = None,
        *,
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
    ) -> None:
        self.path = str(path)
        self._kind = kind
        self._in_memory = self.path == ":memory:"
        if not self._in_memory:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = self._connect(synchronous)
        try:
            migrate(self._writer, migrations, self.path, kind)
        except BaseException:
            self._writer.close()
            raise
        # Readers of a file never wait for the writer; a database in memory is its one connection.
        self._reader = self._writer if self._in_memory else self._connect(synchronous)
        # A group is begun on the loop and ended on a thread, so these belong to no thread.
        self._writing = threading.Lock()
        self._reading = self._writing if self._in_memory else threading.Lock()
        self._gathering = threading.Lock()
        self._waiting: list[Waiting] = []
        #: The loop on which groups are run as long as something waits.
        self._runs_on: asyncio.AbstractEventLoop | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qsops-writer")

    def write(self, operation: Operation[T]) -> T:
        """Run ``operation`` in a transaction of its own, on this thread; an exception undoes it."""
        with self._writing, transaction(self._writer):
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
        return await self._submit(Waiting(asyncio.get_running_loop().create_future(), operation))  # type: ignore[no-any-return]

    async def submit_each(self, together: Together[T], argument: Any) -> T:
        """As :meth:`submit`, for what ``together`` does with ``argument``, and with those of others in one call.

        When that raises, it is undone and called for each by itself: so one of them can spoil no other.
        """
        done = asyncio.get_running_loop().create_future()
        return await self._submit(Waiting(done, None, together, argument))  # type: ignore[no-any-return]

    def _submit(self, waiting: Waiting) -> asyncio.Future[Any]:
        loop = waiting.done.get_loop()
        with self._gathering:
            self._waiting.append(waiting)
            start = self._runs_on is None or self._runs_on.is_closed()
            if start:
                self._runs_on = loop
        if start:
            self._soon(loop)
        return waiting.done

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
            if self._kind is not None:
                refuse_others(connection, self.path, self._kind)
            into_wal(connection)
            connection.execute(f"pragma synchronous = {synchronous}")
            connection.execute("pragma foreign_keys = on")
            connection.execute("pragma temp_store = memory")
            connection.execute(f"pragma cache_size = -{_CACHE_KIB}")
            connection.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        except Corrupt:
            connection.close()
            raise
        except sqlite3.DatabaseError as error:
            connection.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise Corrupt(f"{self.path} is not a SQLite database; name another file, or move it away") from error
            raise
        return connection

    def _soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin the next group two turns of ``loop`` from now.

        Whoever submits in this turn rides in it, and so does whatever has arrived by now and is read in the next one: a
        loaded loop has much of that, an idle one is through at once.
        """
        loop.call_soon(loop.call_soon, self._next_group, loop)

    def _next_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what waits, on the loop, and hand its commit to the thread; in memory there is no fsync to wait for."""
        group = self._take_group()
        if group is None:
            return
        if self._in_memory:
            with self._writing:
                group.whole()
            group.hand_out()
            self._soon(loop)
        elif self._run_at_once(group):
            loop.run_in_executor(self._thread, self._end_and_go_on, group, loop)
        else:
            # Another process, or a thread of this one, writes now: the loop must not wait for it.
            loop.run_in_executor(self._thread, self._whole_and_go_on, group, loop)

    def _run_at_once(self, group: Group) -> bool:
        """Run ``group`` in a transaction that stays open; False if that cannot be begun now."""
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
        group.run()
        return True

    def _end_and_go_on(self, group: Group, loop: asyncio.AbstractEventLoop) -> None:
        try:
            group.end()
        finally:
            self._writing.release()
            self._go_on(group, loop)

    def _whole_and_go_on(self, group: Group, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with self._writing:
                group.whole()
        finally:
            self._go_on(group, loop)

    def _go_on(self, group: Group, loop: asyncio.AbstractEventLoop) -> None:
        group.hand_out()
        try:
            loop.call_soon_threadsafe(self._soon, loop)
        except RuntimeError:  # the loop was closed meanwhile; what others wait for is not lost with it
            self._drain()

    def _take_group(self) -> Group | None:
        with self._gathering:
            members, self._waiting = self._waiting[:_GROUP_LIMIT], self._waiting[_GROUP_LIMIT:]
            if not members:
                self._runs_on = None
        return Group(self._writer, members) if members else None

    def _drain(self) -> None:
        """Finish what waits without a loop to do it on."""
        while group := self._take_group():
            with self._writing:
                group.whole()
            group.hand_out()
