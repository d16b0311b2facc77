"""The driver under a manual clock: it moves the clock from one due time to the next, in a fixed order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from qsops.clock import ManualClock
from qsops.engine.core.agenda import next_chore_ms, next_gate_ms, run_chores
from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.core.due import due, next_due_ms
from qsops.engine.core.settlement import close_canceled, settle, start
from qsops.engine.core.terms import Terms
from qsops.engine.courier import Courier, settled
from qsops.engine.driver import IN_FLIGHT_LIMIT
from qsops.engine.engine import Engine
from qsops.engine.virtual import VirtualLoop

__all__ = ["ManualDriver"]

T = TypeVar("T")


class ManualDriver:
    """Attempts of one instant start one after another, each when nothing else can go on, and settle in that order.

    On a :class:`VirtualLoop` of the same clock the consumers' own timers follow the clock, too. On any other loop each
    attempt is awaited to its end before the next, and what sleeps in a consumer takes real time.
    """

    def __init__(self, engine: Engine, courier: Courier, clock: ManualClock, limit: int = IN_FLIGHT_LIMIT) -> None:
        self._engine = engine
        self._terms = Terms(engine.plan, engine.ids, engine.daily_limit)
        self._courier = courier
        self._clock = clock
        self._limit = limit
        self._in_flight: dict[int, tuple[Attempt, asyncio.Task[Outcome]]] = {}
        self._moving = asyncio.Lock()

    async def advance(self, by_ms: int) -> None:
        """Move the clock by ``by_ms``; whatever falls due on the way happens at its own time."""
        async with self._moving:
            until_ms = self._clock.now_ms() + by_ms
            await self._work()
            while (at_ms := self._next_ms()) is not None and at_ms <= until_ms:
                self._clock.move_to(at_ms)
                await self._work()
            self._clock.move_to(until_ms)

    async def settle(self, timeout_ms: int) -> bool:
        """Move the clock until no message is pending, at most by ``timeout_ms``; whether that was reached.

        A schedule that falls due on the way makes its messages, none that falls due later is waited for.
        """
        async with self._moving:
            until_ms = self._clock.now_ms() + timeout_ms
            await self._work()
            while not self._is_idle():
                at_ms = self._next_ms()
                if at_ms is None or at_ms > until_ms:
                    return False
                self._clock.move_to(at_ms)
                await self._work()
            return True

    async def see_through(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end, moving the clock only if it waits for the clock."""
        task = asyncio.create_task(work)
        if self._moving.locked():  # whoever holds it moves the clock
            return await task
        async with self._moving:
            # Without a timer it waits for somebody outside, whom no clock brings nearer.
            while await self._waits(task) and self._next_timer_ms() is not None:
                self._clock.move_to(self._next_ms() or self._clock.now_ms())
                await self._work()
        return await task

    def next_due_ms(self) -> int | None:
        """When something happens to a pending message next; None if none is pending but what is in flight."""
        read, in_flight = self._engine.database.read, self._engine.in_flight
        most = self._engine.plan.global_parallelism
        return _first(read(lambda connection: next_due_ms(connection, in_flight, most)), read(next_gate_ms))

    async def aclose(self) -> None:
        """Give up what is in flight; it stays pending."""
        tasks = [task for _, task in self._in_flight.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._in_flight.clear()
        self._engine.in_flight.clear()

    async def _work(self) -> None:
        """Do all that can be done at this instant."""
        progress = True
        while progress:
            await self._quiet()
            settled = await self._settle_finished()
            busy = await self._do_chores()
            started = await self._start_due()
            progress = settled or busy or started

    async def _do_chores(self) -> bool:
        at_ms, now_ms = self._next_chore_ms(), self._clock.now_ms()
        if at_ms is None or at_ms > now_ms:
            return False
        await self._engine.database.submit(lambda connection: run_chores(connection, now_ms, self._terms))
        return True

    async def _start_due(self) -> bool:
        engine, now_ms, room = self._engine, self._clock.now_ms(), self._limit - len(self._in_flight)
        most = engine.plan.global_parallelism
        found = engine.database.read(
            lambda connection: due(connection, now_ms, limit=room, in_flight=engine.in_flight, per_account=most)
        )
        for attempt in found.attempts:
            await self._start(attempt)
        return bool(found.attempts)

    async def _start(self, attempt: Attempt) -> None:
        engine, now_ms = self._engine, self._clock.now_ms()
        if attempt.canceled:
            await engine.database.submit(lambda connection: close_canceled(connection, attempt, now_ms, engine.plan))
            return
        await engine.database.submit(lambda connection: start(connection, [attempt], now_ms))
        self._engine.in_flight[attempt.seq] = attempt.account
        self._in_flight[attempt.seq] = attempt, asyncio.create_task(self._courier.carry(attempt))
        await self._quiet()

    async def _settle_finished(self) -> bool:
        finished = [(attempt, task) for attempt, task in self._in_flight.values() if task.done()]
        for attempt, task in finished:
            ended = settled(self._engine, attempt, task.result())
            await self._engine.database.submit(partial(settle, ended=[ended], plan=self._engine.plan))
            del self._in_flight[attempt.seq], self._engine.in_flight[attempt.seq]
        return bool(finished)

    async def _waits(self, task: asyncio.Task[Any]) -> bool:
        """Whether ``task`` cannot go on before the clock is moved."""
        loop = self._virtual_loop()
        if loop is None:
            await asyncio.wait([task])
        else:
            await loop.quiet()
        return not task.done()

    async def _quiet(self) -> None:
        loop = self._virtual_loop()
        if loop is not None:
            await loop.quiet()
        elif self._in_flight:
            await asyncio.wait([task for _, task in self._in_flight.values()])

    def _virtual_loop(self) -> VirtualLoop | None:
        loop = asyncio.get_running_loop()
        return loop if isinstance(loop, VirtualLoop) and loop.clock is self._clock else None

    def _is_idle(self) -> bool:
        return not self._in_flight and self.next_due_ms() is None

    def _next_ms(self) -> int | None:
        due_ms = self.next_due_ms() if len(self._in_flight) < self._limit else None
        at_ms = _first(due_ms, self._next_chore_ms(), self._next_timer_ms())
        # What fell due while the engine was closed is late, and the clock never goes back.
        return None if at_ms is None else max(at_ms, self._clock.now_ms())

    def _next_chore_ms(self) -> int | None:
        return self._engine.database.read(partial(next_chore_ms, plan=self._engine.plan))

    def _next_timer_ms(self) -> int | None:
        loop = self._virtual_loop()
        at_ms = loop.next_timer_ms() if loop else None
        # A timer that did not fire just now lies ahead, whatever its seconds round to.
        return None if at_ms is None else max(at_ms, self._clock.now_ms() + 1)


def _first(*times: int | None) -> int | None:
    return min((at_ms for at_ms in times if at_ms is not None), default=None)
