"""The driver under the machine's clock: starts what is due, and sleeps until something is."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice, takewhile
from typing import Final

from qsops.engine.core.attempts import Attempt
from qsops.engine.core.due import due, next_due_ms
from qsops.engine.courier import Courier
from qsops.engine.engine import Engine

__all__ = ["IN_FLIGHT_LIMIT", "Driver"]

_log = logging.getLogger(__name__)

#: How many attempts are under way at a time: each holds a connection, and its message in memory.
IN_FLIGHT_LIMIT: Final = 512
#: How many of them are young. One that is not answered soon gives its place to the next, so that a destination that
#: hangs does not hold up the others.
_YOUNG_LIMIT: Final = 64
_YOUNG_S: Final = 1.0
#: A clock that was set, or a machine that slept, is noticed within a minute.
_LOOK_AGAIN_S: Final = 60.0
#: How long to wait for a database that is full or locked before the same operation is tried again.
_STORE_AGAIN_S: Final = 1.0


class Driver:
    """Woken by ``awake``, which the face sets after each commit, or by the next due time; it never polls.

    An attempt stays due in the database until it is settled. So one whose outcome a crash swallowed is started again by
    the next run, under the same message id, without any special case for it.
    """

    def __init__(self, engine: Engine, courier: Courier, awake: asyncio.Event, limit: int = IN_FLIGHT_LIMIT) -> None:
        self._engine = engine
        self._courier = courier
        self._awake = awake
        self._limit = limit
        #: Tasks by message, with the time each was started, the latest last.
        self._in_flight: dict[int, tuple[asyncio.Task[None], float]] = {}
        self._announcing: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None

    async def run(self) -> None:
        """Drive until cancelled; what is in flight then goes on until :meth:`drain`.

        A fault of ours in an attempt ends the driver with it: to go on would repeat that attempt for ever.
        """
        while self._fault is None:
            self._awake.clear()
            try:
                self._start_due()
                pause_s = self._pause_s()
            except sqlite3.OperationalError as error:
                _log.warning("the database cannot be read, trying again in %s s: %s", _STORE_AGAIN_S, error)
                pause_s = _STORE_AGAIN_S
            await self._sleep(pause_s)
        raise self._fault

    async def drain(self, grace_s: float) -> int:
        """Wait up to ``grace_s`` for what is in flight, give up the rest; returns how many were given up."""
        tasks = {*(task for task, _ in self._in_flight.values()), *self._announcing}
        if not tasks:
            return 0
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _start_due(self) -> None:
        room = self._room()
        if room <= 0:
            return
        now_ms = self._engine.clock.now_ms()
        attempts = self._engine.database.read(
            lambda connection: due(connection, now_ms, limit=room, in_flight=self._in_flight)
        )
        if attempts:
            # Before the deliveries, so that ACTIVE stands before their outcome in the log.
            task = asyncio.create_task(self._insist(lambda: self._courier.announce(attempts)))
            self._announcing.add(task)
            task.add_done_callback(self._announcing.discard)
        for attempt in attempts:
            task = asyncio.create_task(self._take(attempt))
            self._in_flight[attempt.seq] = task, self._engine.clock.monotonic_s()
            task.add_done_callback(partial(self._on_end, attempt.seq))

    async def _take(self, attempt: Attempt) -> None:
        if attempt.canceled:
            await self._insist(lambda: self._courier.close(attempt))
            return
        outcome = await self._courier.carry(attempt)
        await self._insist(lambda: self._courier.settle(attempt, outcome))

    def _on_end(self, seq: int, task: asyncio.Task[None]) -> None:
        del self._in_flight[seq]
        if not task.cancelled() and self._fault is None:
            self._fault = task.exception()
        self._awake.set()

    async def _insist(self, store: Callable[[], Awaitable[None]]) -> None:
        """Do not lose an outcome to a full disk: keep it until it can be written."""
        while True:
            try:
                return await store()
            except sqlite3.OperationalError as error:
                _log.warning("the database cannot be written, trying again in %s s: %s", _STORE_AGAIN_S, error)
            await asyncio.sleep(_STORE_AGAIN_S)

    def _room(self) -> int:
        """How many attempts may be started."""
        since_s = self._engine.clock.monotonic_s() - _YOUNG_S
        latest = islice(reversed(self._in_flight.values()), _YOUNG_LIMIT)
        young = sum(1 for _ in takewhile(lambda flight: flight[1] > since_s, latest))
        return min(self._limit - len(self._in_flight), _YOUNG_LIMIT - young)

    def _pause_s(self) -> float:
        if len(self._in_flight) >= self._limit:
            return _LOOK_AGAIN_S
        if self._room() <= 0:
            return _YOUNG_S
        at_ms = self._engine.database.read(lambda connection: next_due_ms(connection, self._in_flight))
        if at_ms is None:
            return _LOOK_AGAIN_S
        return min(_LOOK_AGAIN_S, max(0, at_ms - self._engine.clock.now_ms()) / 1000)

    async def _sleep(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._awake.wait()
        except TimeoutError:
            return
