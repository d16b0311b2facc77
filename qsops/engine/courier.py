"""The way of one attempt: out to its destination, and home with what came of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from qsops.engine.core.attempts import Attempt, Outcome, Settled
from qsops.engine.core.reports import report_ids
from qsops.engine.deliveries.port import Deliver
from qsops.engine.engine import Engine
from qsops.engine.errands import Errand, Runner
from qsops.wire.delivery import delivery_headers

__all__ = ["Carries", "Courier", "errand_of", "settled"]


class Carries(Protocol):
    """Who makes attempts; when to do so, and to write them down, is the driver's business."""

    def carry(self, attempt: Attempt) -> Awaitable[Outcome]:
        """Deliver ``attempt``; whatever becomes of it is an outcome, and whatever nobody can know a cancellation.

        An exception is a fault of ours.
        """
        ...


class Courier:
    """Makes attempts in this process."""

    def __init__(self, engine: Engine, deliver: Deliver) -> None:
        self._engine = engine
        self._runner = Runner(deliver, engine.clock, engine.ids)

    async def carry(self, attempt: Attempt) -> Outcome:
        """As :meth:`Carries.carry`."""
        return await self._runner.run(errand_of(self._engine, attempt))


def errand_of(engine: Engine, attempt: Attempt) -> Errand:
    """What ``attempt`` sends."""
    message, most_s = attempt.message, engine.plan.response_s
    headers = delivery_headers(message, retried=attempt.retried, region=engine.region)
    timeout_s = most_s if message.timeout_s is None else min(message.timeout_s, most_s)
    return Errand(attempt.key, message.method, message.url, headers, message.body, timeout_s)


def settled(engine: Engine, attempt: Attempt, outcome: Outcome) -> Settled:
    """``outcome`` as of now, with the ids of the messages that it may cause."""
    return Settled(attempt, outcome, engine.clock.now_ms(), report_ids(attempt.message, engine.ids))
