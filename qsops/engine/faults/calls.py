"""Calls of clients that meet the faults of the engine itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from qsops.clock import Clock
from qsops.engine.faults.running import Disturbance, SetFault
from qsops.engine.plans import REQUESTS_PER_S
from qsops.errors import OutcomeUnknown, Unreachable
from qsops.models import Headers
from qsops.wire.failures import BurstLimit, burst_headers
from qsops.wire.http import Response

__all__ = ["disturbed"]


async def disturbed(met: Disturbance, clock: Clock, answer: Callable[[], Awaitable[Response]]) -> Response:
    """What a client sees of ``answer`` under the faults it has ``met``.

    :raises Unreachable: nothing was done.
    :raises OutcomeUnknown: what was asked was done, and the answer is lost.
    """
    await asyncio.sleep(met.before_ms / 1000)
    if met.end is not None and not met.end.fault.after:
        return _end(met.end, clock)
    response = await answer()
    await asyncio.sleep(met.after_ms / 1000)
    return response if met.end is None else _end(met.end, clock)


def _end(found: SetFault, clock: Clock) -> Response:
    if found.fault.kind == "unreachable":
        lost = "answered the request, but its answer was lost" if found.fault.after else "is unreachable"
        raise (OutcomeUnknown if found.fault.after else Unreachable)(f"the engine {lost} ({found})")
    headers: Headers = ()
    if found.fault.status == 429:
        headers = burst_headers(BurstLimit(REQUESTS_PER_S, 0, clock.now_ms() // 1000 + 1))
    return Response.of_json(found.fault.status, {"error": str(found)}, headers)
