"""QStash inside the caller's process, under a manual clock: no socket, no sleep, the same run from the same seed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from qsops.clock import ManualClock, SeededIds
from qsops.engine.core.attempts import Outcome
from qsops.engine.courier import Courier
from qsops.engine.deliveries.app import AppDeliveries
from qsops.engine.deliveries.lifespan import AsgiApp
from qsops.engine.deliveries.mounts import Mounts
from qsops.engine.deliveries.port import Delivery, timed_out
from qsops.engine.deliveries.scripted import Answer, ScriptedReceiver, parse_answers
from qsops.engine.engine import open_engine
from qsops.engine.face.router import Face
from qsops.engine.faults.deliveries import FaultyDeliveries
from qsops.engine.faults.running import Faults
from qsops.engine.manual import ManualDriver
from qsops.models import Headers
from qsops.wire.http import Request, Response

__all__ = ["Embedded"]

#: How far :meth:`Embedded.settle` moves the clock unless told otherwise: the longest a plan keeps dead letters.
SETTLE_LIMIT_MS: Final = 90 * 86_400_000
_CALLER_IP: Final = "127.0.0.1"
_CALL_TIMEOUT_S: Final = 30.0


class Embedded:
    """An engine that is driven by its caller; also a transport for a client.

    :param clock: moved by :meth:`advance` and :meth:`settle` only.
    :param seed: of the ids and of faults; the same seed and the same calls give the same logs.
    :param db: a path, or ``:memory:``.
    :param quota: the plan whose limits hold: free, payg or pro.
    :param token: one more account beside the vendor's four dev users; ``read_only_token`` is the same account's.
    :param region: told to destinations, e.g. ``EU_CENTRAL_1``.
    :param burst_limit: of requests in a second, and ``daily_limit`` of messages in a day, each of one account.
    :raises SettingsError: when there is no such plan or region.
    :raises Corrupt: when ``db`` cannot be read.
    """

    def __init__(
        self,
        *,
        clock: ManualClock,
        seed: int = 0,
        db: str | Path = ":memory:",
        quota: str = "payg",
        token: str | None = None,
        read_only_token: str | None = None,
        region: str | None = None,
        burst_limit: int | None = None,
        daily_limit: int | None = None,
    ) -> None:
        self.clock = clock
        #: What goes wrong on purpose, at destinations and at the engine; ``engine.faults.add("503 30%")``.
        self.faults = Faults(clock, seed)
        self._engine = open_engine(
            db,
            clock=clock,
            ids=SeededIds(clock, seed),
            quota=quota,
            wake=lambda: None,
            faults=self.faults,
            own_token=token,
            read_only_token=read_only_token,
            region=region,
            burst_limit=burst_limit,
            daily_limit=daily_limit,
        )
        self._face = Face(self._engine)
        self._mounts = Mounts()
        self._apps: list[AppDeliveries] = []
        self._driver = ManualDriver(
            self._engine, Courier(self._engine, FaultyDeliveries(self._mounts, self.faults)), clock
        )
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Answer ``request`` as the hosted service would; what it publishes waits for the clock to be moved.

        The clock moves only if a fault of the engine has the answer wait for it.

        :raises Unreachable: by a fault that was set, and OutcomeUnknown.
        """
        answer = self._face.handle(request, _CALLER_IP)
        return await (self._driver.see_through(answer) if self.faults.slow_calls() else answer)

    def mount(self, url_prefix: str, app: AsgiApp) -> None:
        """Let ``app`` receive what goes to ``url_prefix`` or below. It sees whole paths; its lifespan is honoured."""
        deliveries = AppDeliveries(app)
        self._apps.append(deliveries)
        self._mounts.add(url_prefix, deliveries)

    def receiver(self, url: str, answers: str | Sequence[Answer] = "200") -> ScriptedReceiver:
        """Let a script answer what goes to ``url`` or below; ``parse_answers`` says how it is written.

        :raises SettingsError: when ``answers`` cannot be read.
        """
        script = parse_answers(answers) if isinstance(answers, str) else answers
        receiver = ScriptedReceiver(self.clock, script)
        self._mounts.add(url, receiver)
        return receiver

    async def call(
        self, method: str, url: str, headers: Headers = (), body: bytes = b"", timeout_s: float = _CALL_TIMEOUT_S
    ) -> Outcome:
        """Send a plain request to what is mounted at ``url``, as anybody on the network might.

        The clock moves only if the answer waits for it.
        """
        return await self._driver.see_through(self._call(Delivery(method, url, headers, body, timeout_s)))

    async def advance(self, by_ms: int) -> None:
        """Move the clock by ``by_ms``; whatever falls due on the way happens at its own time."""
        await self._driver.advance(by_ms)

    async def settle(self, timeout_ms: int = SETTLE_LIMIT_MS) -> bool:
        """Move the clock until no message is pending, at most by ``timeout_ms``; whether that was reached."""
        return await self._driver.settle(timeout_ms)

    def next_due_ms(self) -> int | None:
        """When the next attempt falls due, in unix milliseconds; None if no message is pending."""
        return self._driver.next_due_ms()

    async def aclose(self) -> None:
        """Shut the mounted applications down and close the database; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        await self._driver.aclose()
        for app in self._apps:
            await self._driver.see_through(app.aclose())
        self._engine.database.close()

    async def _call(self, delivery: Delivery) -> Outcome:
        try:
            async with asyncio.timeout(delivery.timeout_s):
                return await self._mounts(delivery)
        except TimeoutError:
            return timed_out(delivery)
