"""Health: ``/healthz`` for who restarts the process, ``/readyz`` for who sends it traffic."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from qsops.clock import Clock
from service.answers import unavailable
from service.errors import StoreUnavailable
from service.store import Backlog, Store

__all__ = ["router"]

#: An outbox older than this is reported, though not as unready: else QStash's outage would take every replica out.
DEGRADED_AFTER_S: Final = 300
#: A database that hangs is as good as none; who asks has a timeout of their own, and is to hear why.
PATIENCE_S: Final = 2.0
AWAY: Final = "the database is away"
SLOW: Final = f"the database has not answered within {PATIENCE_S:g} s"


def router(store: Store, clock: Clock) -> APIRouter:
    """The two routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @routes.get("/readyz")
    async def readyz() -> Response:
        """It can take traffic: the database can be written. An old outbox is told, and is still 200."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await store.ping()
                backlog = await store.lag()
        except StoreUnavailable:
            return unavailable(AWAY)
        except TimeoutError:
            return unavailable(SLOW)
        return JSONResponse(_report(backlog, clock.now_ms()))

    return routes


def _report(backlog: Backlog, now_ms: int) -> dict[str, object]:
    age_s = 0 if backlog.oldest_ms is None else (now_ms - backlog.oldest_ms) / 1000
    outbox = {"queued": backlog.queued, "parked": backlog.parked, "oldest_s": age_s}
    return {"status": "degraded" if age_s > DEGRADED_AFTER_S else "ok", "outbox": outbox}
