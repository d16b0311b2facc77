"""What became of attempts, brought to disk in groups: whoever starts and ends them need not wait for each fsync."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from qsops.engine.core.attempts import Attempt, Outcome, Settled
from qsops.engine.core.recall import recall_given_up
from qsops.engine.core.settlement import close_canceled, concludes, settle, start
from qsops.engine.courier import settled
from qsops.engine.engine import Engine

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

#: How long to wait for a database that is full or locked before the same group is tried again.
_AGAIN_S: Final = 1.0


@dataclass(slots=True)
class _Group:
    """What is written down together; what was started stands before what has ended."""

    started: list[tuple[Sequence[Attempt], int]] = field(default_factory=list)
    ended: list[Settled] = field(default_factory=list)
    closed: list[tuple[Attempt, int]] = field(default_factory=list)
    given_up: list[tuple[Attempt, int]] = field(default_factory=list)

    def finished(self) -> list[int]:
        """The messages that are under way no more."""
        others = [attempt.seq for attempt, _ in (*self.closed, *self.given_up)]
        return [one.attempt.seq for one in self.ended] + others

    def brings_more(self) -> bool:
        """Whether anything may fall due through it: another try, a callback, or whoever waited at a gate."""
        return (
            bool(self.given_up)
            or not all(map(concludes, self.ended))
            or any(attempt.gated for attempt, _ in self.closed)
        )


class Recorder:
    """Gathers what happens within one turn of the loop. ``on_recorded`` is told of messages whose attempt has ended, on
    disk, and whether anything else may fall due through that.

    An outcome is not lost to a full disk: it is kept until it can be written. A fault of ours is kept in ``fault``.
    """

    def __init__(self, engine: Engine, on_recorded: Callable[[list[int], bool], None]) -> None:
        self._engine = engine
        self._on_recorded = on_recorded
        self._group = _Group()
        self._gathering = False
        self._writing: set[asyncio.Task[None]] = set()
        self.fault: BaseException | None = None

    def start(self, attempts: Sequence[Attempt]) -> None:
        """``attempts`` start now. Nobody waits for that to be on disk: it rides in the next commit."""
        self._group.started.append((attempts, self._engine.clock.now_ms()))
        self._gather()

    def end(self, attempt: Attempt, outcome: Outcome) -> None:
        """An attempt has ended, now."""
        self._group.ended.append(settled(self._engine, attempt, outcome))
        self._gather()

    def close(self, attempt: Attempt) -> None:
        """A message that was taken back has fallen due."""
        self._group.closed.append((attempt, self._engine.clock.now_ms()))
        self._gather()

    def give_up(self, attempt: Attempt) -> None:
        """What came of an attempt will never be known: its message stays due, and has spent nothing."""
        self._group.given_up.append((attempt, self._engine.clock.now_ms()))
        self._gather()

    async def drain(self) -> None:
        """Wait until all that was told so far is on disk."""
        while self._gathering or self._writing:
            await asyncio.sleep(0)
            await asyncio.gather(*self._writing, return_exceptions=True)

    def stop(self) -> None:
        """Write nothing any more; what is not on disk will be attempted again."""
        for task in self._writing:
            task.cancel()

    def _gather(self) -> None:
        if not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_soon(self._hand_on)

    def _hand_on(self) -> None:
        group, self._group = self._group, _Group()
        self._gathering = False
        task = asyncio.create_task(self._write(group))
        self._writing.add(task)
        task.add_done_callback(self._on_written)

    async def _write(self, group: _Group) -> None:
        while True:
            try:
                changes = await self._engine.database.submit(lambda connection: self._record(connection, group))
                break
            except sqlite3.OperationalError as error:
                _log.warning("the database cannot be written, trying again in %s s: %s", _AGAIN_S, error)
            await asyncio.sleep(_AGAIN_S)
        finished = group.finished()
        if finished or changes:
            self._on_recorded(finished, changes or group.brings_more())

    def _record(self, connection: sqlite3.Connection, group: _Group) -> bool:
        """Returns whether anything may fall due through what was started."""
        changes = [start(connection, attempts, at_ms) for attempts, at_ms in group.started]
        settle(connection, group.ended, self._engine.plan)
        for attempt, at_ms in group.closed:
            close_canceled(connection, attempt, at_ms, self._engine.plan)
        if gated := [attempt.seq for attempt, _ in group.given_up if attempt.gated]:
            recall_given_up(connection, gated, group.given_up[-1][1])
        return any(changes)

    def _on_written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and self.fault is None:
            self.fault = task.exception()
            if self.fault is not None:
                self._on_recorded([], True)
