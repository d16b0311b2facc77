"""The engine's side of its process for deliveries."""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import Self

from qsops.engine.apart.keeper import Keeper
from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.courier import Courier, errand_of
from qsops.engine.engine import Engine
from qsops.engine.errands import Errand

__all__ = ["CourierApart"]


class CourierApart:
    """An async context manager that makes attempts in another process, which keeps ``connections`` unused at most.

    Should the process die, what it held is cancelled: nobody knows what came of it. The next attempt has another one
    started, and waits for that. As long as deliveries may meet a fault, attempts are made ``at_home``, where the faults
    are.
    """

    def __init__(self, engine: Engine, connections: int, at_home: Courier) -> None:
        self._engine = engine
        self._connections = connections
        self._at_home = at_home
        self._keeper = Keeper(self._command, engine.clock)

    @property
    def process_id(self) -> int | None:
        """Of the process that makes attempts now."""
        return self._keeper.process_id

    async def __aenter__(self) -> Self:
        self._keeper.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._keeper.aclose()

    def carry(self, attempt: Attempt) -> asyncio.Future[Outcome]:
        """As :meth:`~qsops.engine.courier.Carries.carry`.

        :raises QsopsError: from the future, when no process can be started.
        """
        if self._engine.faults.meet_deliveries():
            return asyncio.ensure_future(self._at_home.carry(attempt))
        errand, line = errand_of(self._engine, attempt), self._keeper.line
        if line is None or not line.is_up:
            return asyncio.ensure_future(self._carry_once_up(errand))
        return line.send(errand)

    async def _carry_once_up(self, errand: Errand) -> Outcome:
        line = await self._keeper.up()
        return await line.send(errand)

    def _command(self, number: int) -> list[str]:
        reachable = self._engine.reachable
        networks = [] if reachable is None else [*map(str, reachable)] or ["-"]
        return [sys.executable, "-m", "qsops.engine.apart", str(number), str(self._connections), *networks]
