"""An engine, its destinations and its clock, lived through one step after another; after each the books are audited."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from qsops.clock import EPOCH_MS, ManualClock
from qsops.config.dev_users import DEV_USERS
from qsops.engine.accounts import signing_keys
from qsops.engine.plans import plan_named
from qsops.engine.virtual import VirtualLoop
from qsops.wire.http import Request, Response
from tests.engine.simulation.audit import Audit
from tests.engine.simulation.destinations import Destinations
from tests.engine.simulation.disk import Disk, Files
from tests.engine.simulation.life import OWN_TOKEN, Life, open_life
from tests.engine.simulation.model import Books

__all__ = ["ACCOUNTS", "MOMENTS", "Step", "World"]

#: The engine's own account, whose keys are kept, and a second tenant.
ACCOUNTS: Final = (OWN_TOKEN, DEV_USERS[0].token)
#: When a crash may come: as a request arrives, as it has been answered, before or after a commit.
MOMENTS: Final = ("arrival", "answer", "before", "after")

_DAY_MS: Final = 86_400_000
#: Of the machine's own time, which is no part of the simulation.
_STEP_LIMIT_S: Final = 30


class Step(Protocol):
    """One thing that happens. Equal steps from the same seed make the same log."""

    async def take(self, world: World) -> None: ...


class World:
    """``scripts`` say how each URL answers; what a step leaves to chance is drawn by nobody: it is in the step."""

    def __init__(self, scripts: Mapping[str, str], *, kind: str = "manual", quota: str = "payg", seed: int = 0) -> None:
        self.programme: list[Step] = []
        self.kind, self.quota, self.seed = kind, quota, seed
        self.plan = plan_named(quota)
        self.clock = ManualClock()
        self.loop = VirtualLoop(self.clock)
        self.files = Files()
        self.books = Books()
        self.lives: list[Life] = []
        self.keys: list[str] = ["", DEV_USERS[0].keys.current]
        self.destinations = Destinations(
            *(self.clock, scripts, lambda: tuple(self.keys)),
            on_arrival=lambda: self._passes("arrival"),
            on_answer=lambda: self._passes("answer"),
        )
        #: Whether the engine has had its turn since the last step.
        self.rested = True
        self.broken = False
        self._moment, self._left = "", 0
        self._copy: Any = None
        self._fallen = asyncio.Event()
        self._run(self._open())
        self.audit = Audit(self)

    @property
    def life(self) -> Life:
        return self.lives[-1]

    def life_at(self, at_ms: int) -> Life:
        """The life that something happened in at ``at_ms``."""
        return next(life for life in reversed(self.lives) if life.opened_ms <= at_ms)

    @property
    def now_ms(self) -> int:
        return self.clock.now_ms()

    @property
    def left_ms(self) -> int:
        """How far the clock may go: what the plan forgets after a while is no loss, and tested by itself."""
        kept = [ms for ms in (self.plan.dlq_retention_ms, self.plan.log_retention_ms) if ms is not None]
        return max(0, EPOCH_MS + min(kept) - _DAY_MS - self.now_ms)

    def has_room(self, account: int) -> bool:
        """Whether the plan lets one more call of ``account`` be under way."""
        most = self.plan.global_parallelism
        return most is None or self.books.under_way(account, self.now_ms) < most

    def do(self, step: Step) -> None:
        """Take ``step``, and hold the engine to all its rules.

        :raises AssertionError: when it breaks one.
        """
        self.programme.append(step)
        self.broken = True
        with _bounded(step):
            self._run(self._do(step))
        self.broken = False

    def close(self) -> None:
        """Let go of loop and files; harmless after a failure."""
        try:
            with _bounded("letting go"):
                self._run(self.life.close(self.now_ms, crashed=True))
                self._run(self.loop.shutdown_default_executor())
        finally:
            self.loop.close()
            self.files.remove()

    async def send(self, request: Request, account: int = 0) -> Response:
        token = ("Authorization", f"Bearer {ACCOUNTS[account]}")
        headers = (*request.headers, token)
        if request.method != "GET":
            self.rested = False
        sent = Request(request.method, request.path, request.query, headers, request.body)
        response = await self.life.send(sent)
        assert response.status < 500, (sent, response)
        return response

    async def advance(self, by_ms: int) -> None:
        await self.life.driven.advance(by_ms)
        self.rested = True

    async def restart(self, down_ms: int) -> None:
        """Stop as told to, and open the same file anew."""
        self.life.stopped_ms = self.now_ms
        await self.life.close(self.now_ms, crashed=False)
        self.life.closed_ms = self.now_ms
        self.clock.advance(down_ms)
        await self._open()

    async def crash(self, down_ms: int) -> None:
        """Die now, with whatever is under way."""
        self._fall()
        await self._rise(down_ms)

    async def crash_within(
        self, work: Sequence[Coroutine[Any, Any, Response]], by_ms: int, moment: str, count: int, down_ms: int
    ) -> list[Response | None]:
        """Do ``work`` at once, move the clock, and die at the ``count``-th ``moment`` on the way, or at the end.

        The answers of those that got one in time.
        """
        self._moment, self._left = moment, count
        tasks = [asyncio.create_task(one) for one in work]
        going = asyncio.create_task(self._go(tasks, by_ms))
        falling = asyncio.create_task(self._fallen.wait())
        await asyncio.wait([going, falling], return_when=asyncio.FIRST_COMPLETED)
        if self._copy is None:
            await going  # what went wrong on the way is raised here
            self._fall()
        answers = [task.result() if task in self._answered else None for task in tasks]
        for task in (*tasks, going, falling):
            task.cancel()
        await asyncio.gather(*tasks, going, falling, return_exceptions=True)
        await self._rise(down_ms)
        return answers

    async def _go(self, tasks: Sequence[asyncio.Task[Response]], by_ms: int) -> None:
        self._tasks = tasks
        await asyncio.gather(*tasks)
        await self.advance(by_ms)

    def _passes(self, moment: str) -> None:
        if moment != self._moment or self.destinations.gone:
            return
        self._left -= 1
        if self._left == 0:
            self._fall()

    def _fall(self) -> None:
        """What is on disk now is all that is left of the engine."""
        self._answered = {task for task in getattr(self, "_tasks", ()) if task.done() and not task.cancelled()}
        self._copy = self.files.copied()
        self._fallen_ms = self.now_ms
        self.destinations.gone = True
        self._fallen.set()

    async def _rise(self, down_ms: int) -> None:
        self._moment = ""
        await self.life.close(self._fallen_ms, crashed=True)
        self.files.go_on_with(self._copy)
        self._copy, self._tasks = None, ()
        self._fallen.clear()
        self.destinations.gone = False
        self.clock.advance(down_ms)
        await self._open()

    async def _open(self) -> None:
        number = self.destinations.life = len(self.lives)
        disk = Disk(lambda: self._passes("before"), lambda: self._passes("after"))
        life = open_life(
            *(number, self.files.database, self.loop, self.destinations, disk),
            kind=self.kind,
            quota=self.quota,
            seed=self.seed,
        )
        self.lives.append(life)
        own = life.engine.accounts.of_token(OWN_TOKEN)
        assert own is not None
        kept = life.engine.database.read(lambda connection: signing_keys(connection, own.number))
        assert self.keys[0] in ("", kept.current), "the keys of one's own account were kept"
        self.keys[0] = kept.current
        await self.advance(0)

    async def _do(self, step: Step) -> None:
        self.rested = False
        await step.take(self)
        if self.kind == "served":
            await self.advance(0)
        await self.audit.run()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)


@contextmanager
def _bounded(step: object) -> Iterator[None]:
    """An engine that does something again and again, while no time passes, is stopped from outside.

    :raises AssertionError: when ``step`` takes longer than any does.
    """

    def stop(*_: object) -> None:
        raise SystemExit  # nothing else gets past the loop

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _STEP_LIMIT_S)
    try:
        yield
    except SystemExit as error:
        raise AssertionError(f"{step} has no end") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
