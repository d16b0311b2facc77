"""Deliveries that meet the faults that are set."""

from __future__ import annotations

import asyncio

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.port import Deliver, Delivery
from qsops.engine.faults.running import Faults, SetFault

__all__ = ["FaultyDeliveries"]


class FaultyDeliveries:
    """Hands on to ``deliver`` what ``faults`` let through. A timeout hangs until the caller's own ends it."""

    def __init__(self, deliver: Deliver, faults: Faults) -> None:
        self._deliver = deliver
        self._faults = faults

    async def __call__(self, delivery: Delivery) -> Outcome:
        met = self._faults.of_delivery(delivery)
        if met is None:
            return await self._deliver(delivery)
        await asyncio.sleep(met.before_ms / 1000)
        if met.end is not None and not met.end.fault.after:
            return await _end(met.end)
        outcome = await self._deliver(delivery)
        await asyncio.sleep(met.after_ms / 1000)
        return outcome if met.end is None else await _end(met.end)


async def _end(found: SetFault) -> Outcome:
    """What the caller sees instead of an answer, and where it comes from."""
    if found.fault.kind == "timeout":
        await asyncio.Event().wait()
    if found.fault.kind == "reset":
        return Outcome(error=f"ConnectionResetError: [Errno 104] Connection reset by peer ({found})")
    return Outcome(found.fault.status, (("Content-Type", "text/plain"),), str(found).encode())
