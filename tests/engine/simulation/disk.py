"""The engine's files, and the thread that brings its groups there: both in the simulation's hands.

A group is committed some turns of the loop after its statements have run, on the loop itself. So what happens between
the two is a function of the programme, and a crash may come right before a commit, or right after it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Final

__all__ = ["Disk", "Files"]

#: Turns that a commit takes; a delivery that starts in the meantime arrives in the meantime, too.
_TURNS: Final = 3
#: A folder in memory, where there is one: what a process wrote survives its death without an fsync, which takes time.
_MEMORY: Final = Path("/dev/shm")
_SUFFIXES: Final = ("", "-wal")


class Files:
    """The engine's database, and its copies of the moments at which it crashed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)
        self._copies = 0
        self.database = Path(self._folder.name) / "engine-0.db"

    def copied(self) -> Path:
        """The database as a process that dies now leaves it behind. Its -shm is no part of it."""
        self._copies += 1
        copy = self.database.with_name(f"engine-{self._copies}.db")
        for suffix in _SUFFIXES:
            source = Path(f"{self.database}{suffix}")
            if source.exists():
                shutil.copyfile(source, f"{copy}{suffix}")
        return copy

    def go_on_with(self, copy: Path) -> None:
        """From now on ``copy`` is the engine's database."""
        for suffix in (*_SUFFIXES, "-shm"):
            Path(f"{self.database}{suffix}").unlink(missing_ok=True)
        self.database = copy

    def remove(self) -> None:
        self._folder.cleanup()


class Disk(Executor):
    """``before`` and ``after`` are called around each commit."""

    def __init__(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._before = before
        self._after = after
        self._pending = 0
        self._idle = asyncio.Event()

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._pending += 1
        self._idle.clear()
        self._turn(_TURNS, lambda: self._commit(future, lambda: work(*args, **named)))
        return future

    async def idle(self) -> None:
        """Wait until nothing is on its way."""
        if self._pending:
            await self._idle.wait()

    def _turn(self, left: int, then: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(*((self._turn, left - 1, then) if left > 1 else (then,)))

    def _commit(self, future: Future[Any], work: Callable[[], Any]) -> None:
        self._pending -= 1
        self._before()
        future.set_result(work())
        self._after()
        if not self._pending:
            self._idle.set()
