"""How this engine runs, for whoever measures it or looks after it. No part of QStash's API."""

from __future__ import annotations

from qsops.engine.face.call import Call
from qsops.wire.http import Response

__all__ = ["get"]


async def get(call: Call) -> Response:
    """``GET /qsops/status``: its time and plan, what is under way, and how its database commits (2 is FULL)."""
    engine = call.engine
    status = {
        "now": engine.clock.now_ms(),
        "plan": engine.plan.name,
        "region": engine.region,
        "inFlight": len(engine.in_flight),
        "database": engine.database.path,
        "synchronous": engine.database.pragma("synchronous"),
        "journal_mode": engine.database.pragma("journal_mode"),
    }
    return Response.of_json(200, status)
