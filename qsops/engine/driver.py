"""The driver under the machine's clock: starts what is due, and sleeps until something is."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from functools import partial
from itertools import islice, takewhile
from typing import Final

from qsops.engine.core.agenda import next_chore_ms, run_chores
from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.core.due import Due, due
from qsops.engine.core.terms import Terms
from qsops.engine.courier import Carries
from qsops.engine.engine import NOBODY, Engine
from qsops.engine.recorder import Recorder

__all__ = ["IN_FLIGHT_LIMIT", "YOUNG_LIMIT", "Driver"]

_log = logging.getLogger(__name__)

#: How many attempts are under way at a time: each holds a connection, and its message in memory.
IN_FLIGHT_LIMIT: Final = 512
#: How many of them are young. One that is not answered soon gives its place to the next, so that a destination that
#: hangs does not hold up the others.
YOUNG_LIMIT: Final = 96
#: How many are under way or wait for their outcome to be on disk: each keeps its message in memory.
_UNWRITTEN_LIMIT: Final = 1_024
_YOUNG_S: Final = 1.0
#: A clock that was set, or a machine that slept, is noticed within a minute.
_LOOK_AGAIN_S: Final = 60.0
#: How long to wait for a database that cannot be read or written.
_STORE_AGAIN_S: Final = 1.0


class Driver:
    """Woken by ``awake``, which the face sets after each commit, or by the next due time; it never polls.

    An attempt stays due in the database until it is settled. So one whose outcome a crash swallowed is started again by
    the next run, under the same message id, without any special case for it; and by this one, if only the process that
    delivers has died.
    """

    def __init__(self, engine: Engine, courier: Carries, awake: asyncio.Event, limit: int = IN_FLIGHT_LIMIT) -> None:
        self._engine = engine
        self._terms = Terms(engine.plan, engine.ids, engine.daily_limit)
        self._courier = courier
        self._awake = awake
        self._limit = limit
        self._recorder = Recorder(engine, self._on_recorded)
        self._carried: set[asyncio.Future[Outcome]] = set()
        #: When each attempt under way was started, by message, the latest last.
        self._started_s: dict[int, float] = {}
        #: Whether something that is due may wait for one to end that is under way.
        self._held = False
        self._fault: BaseException | None = None
        self._stopped = False

    async def run(self) -> None:
        """Drive until cancelled; what is in flight then goes on until :meth:`drain`.

        A fault of ours in an attempt ends the driver with it: to go on would repeat that attempt for ever.
        """
        while self._fault is None and self._recorder.fault is None:
            self._awake.clear()
            try:
                pause_s = await self._turn()
            except sqlite3.OperationalError as error:
                _log.warning("the database cannot be used, trying again in %s s: %s", _STORE_AGAIN_S, error)
                pause_s = _STORE_AGAIN_S
            await self._sleep(pause_s)
        raise self._fault or self._recorder.fault or AssertionError("the driver ended without a fault")

    async def drain(self, grace_s: float) -> int:
        """Wait up to ``grace_s`` for what is in flight, give up the rest; returns how many were given up."""
        late = 0
        if self._carried:
            _, pending = await asyncio.wait(self._carried, timeout=grace_s)
            late = len(pending)
        self._stopped = True
        for carried in [*self._carried]:
            carried.cancel()
        await asyncio.gather(*self._carried, return_exceptions=True)
        try:
            async with asyncio.timeout(grace_s):
                await self._recorder.drain()
        except TimeoutError:
            self._recorder.stop()  # what is not on disk is repeated by the next start
        return late

    async def _turn(self) -> float:
        """Start and do what is due; returns for how many seconds nothing else will be, unless something happens."""
        engine, room = self._engine, max(0, self._room())
        now_ms = engine.clock.now_ms()
        chore_ms, found = engine.database.read(lambda connection: self._look(connection, now_ms, room))
        self._held = found.held or not room
        self._start_all(found.attempts)
        if chore_ms is not None and chore_ms <= now_ms:
            await engine.database.submit(lambda connection: run_chores(connection, now_ms, self._terms))
            return 0
        # Whoever found no room waits for that, not for a time.
        return self._pause_s(now_ms, chore_ms, found.next_ms if len(found.attempts) < room else None)

    def _look(self, connection: sqlite3.Connection, now_ms: int, room: int) -> tuple[int | None, Due]:
        in_flight, most = self._engine.in_flight, self._engine.plan.global_parallelism
        found = due(connection, now_ms, limit=room, in_flight=in_flight, per_account=most) if room else Due([])
        return next_chore_ms(connection, self._engine.plan), found

    def _start_all(self, attempts: list[Attempt]) -> None:
        if not attempts:
            return
        # Before the deliveries, so that ACTIVE stands before their outcome in the log.
        self._recorder.start([attempt for attempt in attempts if not attempt.canceled])
        for attempt in attempts:
            self._start(attempt)

    def _start(self, attempt: Attempt) -> None:
        if attempt.canceled:
            self._engine.in_flight[attempt.seq] = NOBODY
            self._recorder.close(attempt)
            return
        self._engine.in_flight[attempt.seq] = attempt.account
        self._started_s[attempt.seq] = self._engine.clock.monotonic_s()
        carried = asyncio.ensure_future(self._courier.carry(attempt))
        self._carried.add(carried)
        carried.add_done_callback(partial(self._on_carried, attempt))

    def _on_carried(self, attempt: Attempt, carried: asyncio.Future[Outcome]) -> None:
        self._carried.discard(carried)
        # It has its answer, and gives its place to the next, though it is not over before that is on disk.
        self._engine.in_flight[attempt.seq] = NOBODY
        del self._started_s[attempt.seq]
        if self._held and len(self._started_s) == YOUNG_LIMIT // 2:
            self._awake.set()  # worth a look: a good many may start at once
        if carried.cancelled():
            if not self._stopped:  # whoever delivers has died: it is attempted again
                self._recorder.give_up(attempt)
            return
        try:
            self._recorder.end(attempt, carried.result())
        except Exception as error:  # noqa: BLE001  # it ends the driver, whatever it is
            self._fault = self._fault or error
            self._awake.set()

    def _on_recorded(self, seqs: list[int], more: bool) -> None:
        for seq in seqs:
            del self._engine.in_flight[seq]
        if more or self._held:
            self._awake.set()

    def _room(self) -> int:
        """How many attempts may be started."""
        since_s = self._engine.clock.monotonic_s() - _YOUNG_S
        latest = islice(reversed(self._started_s.values()), YOUNG_LIMIT)
        young = sum(1 for _ in takewhile(lambda started_s: started_s > since_s, latest))
        unwritten = len(self._engine.in_flight)
        return min(self._limit - len(self._started_s), YOUNG_LIMIT - young, _UNWRITTEN_LIMIT - unwritten)

    def _pause_s(self, now_ms: int, *times: int | None) -> float:
        waits_s = [max(0, at_ms - now_ms) / 1000 for at_ms in times if at_ms is not None]
        # Without room for young ones there is some in a second; without any, only once an attempt ends.
        if self._room() <= 0 and len(self._started_s) < self._limit:
            waits_s.append(_YOUNG_S)
        return min(waits_s, default=_LOOK_AGAIN_S)

    async def _sleep(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(min(pause_s, _LOOK_AGAIN_S)):
                await self._awake.wait()
        except TimeoutError:
            return
