"""One life of an engine on a file, under a manual clock: opened, driven, and ended, or left to die."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from qsops.clock import ManualClock, SeededIds
from qsops.engine.courier import Courier
from qsops.engine.deliveries.port import Deliver
from qsops.engine.driver import Driver
from qsops.engine.engine import Engine, open_engine
from qsops.engine.face.router import Face
from qsops.engine.manual import ManualDriver
from qsops.engine.virtual import VirtualLoop
from qsops.wire.http import Request, Response
from tests.engine.simulation.disk import Disk

__all__ = ["OWN_TOKEN", "Driven", "Life", "open_life"]

OWN_TOKEN: Final = "token-of-the-simulation"
#: How long a served engine lets its deliveries finish when it is stopped.
_GRACE_S: Final = 10.0
_CALLER_IP: Final = "127.0.0.1"


class Driven(Protocol):
    """What moves an engine: that of a caller, or that of a server."""

    async def advance(self, by_ms: int) -> None: ...

    async def stop(self) -> None: ...

    async def abandon(self) -> None: ...


@dataclass(slots=True)
class Life:
    """``opened_ms`` to ``closed_ms``. It ``crashed``, or was told to stop at ``stopped_ms``."""

    number: int
    engine: Engine
    face: Face
    driven: Driven
    disk: Disk
    opened_ms: int
    closed_ms: int | None = None
    stopped_ms: int | None = None
    crashed: bool = False

    async def send(self, request: Request) -> Response:
        return await self.face.handle(request, _CALLER_IP)

    async def close(self, at_ms: int, *, crashed: bool) -> None:
        """Let go of everything. After a crash nobody looks at what is written now."""
        await (self.driven.abandon() if crashed else self.driven.stop())
        await self.disk.idle()
        self.engine.database.close()
        self.closed_ms, self.crashed = at_ms, crashed


def open_life(
    number: int, database: Path, loop: VirtualLoop, deliver: Deliver, disk: Disk, *, kind: str, quota: str, seed: int
) -> Life:
    """``kind`` is manual, the driver of the embedded engine, or served, that of ``qsops engine``."""
    awake = asyncio.Event()
    engine = open_engine(
        database,
        clock=loop.clock,
        ids=SeededIds(loop.clock, seed),
        quota=quota,
        wake=awake.set,
        own_token=OWN_TOKEN,
    )
    engine.database._thread.shutdown()
    engine.database._thread = disk
    courier = Courier(engine, deliver)
    driven: Driven = _Served(Driver(engine, courier, awake), loop) if kind == "served" else _Manual(engine, courier)
    return Life(number, engine, Face(engine), driven, disk, loop.clock.now_ms())


class _Manual:
    def __init__(self, engine: Engine, courier: Courier) -> None:
        assert isinstance(engine.clock, ManualClock)
        self._driver = ManualDriver(engine, courier, engine.clock)

    async def advance(self, by_ms: int) -> None:
        await self._driver.advance(by_ms)

    async def stop(self) -> None:
        await self._driver.aclose()

    abandon = stop


class _Served:
    """Time stops at each timer of the loop, and goes on when nobody can do anything more."""

    def __init__(self, driver: Driver, loop: VirtualLoop) -> None:
        self._driver = driver
        self._loop = loop
        self._running = loop.create_task(driver.run())

    async def advance(self, by_ms: int) -> None:
        until_ms = self._loop.clock.now_ms() + by_ms
        await self._quiet()
        while (at_ms := self._next_timer_ms()) is not None and at_ms <= until_ms:
            self._loop.clock.move_to(at_ms)
            await self._quiet()
        self._loop.clock.move_to(until_ms)
        await self._quiet()

    async def stop(self) -> None:
        self._running.cancel()
        draining = asyncio.ensure_future(self._driver.drain(_GRACE_S))
        await self._quiet()
        while not draining.done() and (at_ms := self._next_timer_ms()) is not None:
            self._loop.clock.move_to(at_ms)
            await self._quiet()
        await draining
        await asyncio.gather(self._running, return_exceptions=True)

    async def abandon(self) -> None:
        self._running.cancel()
        draining = asyncio.ensure_future(self._driver.drain(0))
        await asyncio.gather(self._running, draining, return_exceptions=True)

    async def _quiet(self) -> None:
        await self._loop.quiet()
        if self._running.done() and not self._running.cancelled():
            self._running.result()

    def _next_timer_ms(self) -> int | None:
        at_ms = self._loop.next_timer_ms()
        return None if at_ms is None else max(at_ms, self._loop.clock.now_ms() + 1)
