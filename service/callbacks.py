"""QStash's callbacks: what became of a message, recorded with its event: a dead one is known without polling."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from qsops.clock import Clock
from qsops.errors import Corrupt
from qsops.models import CallbackReport
from qsops.receive import Delivery
from qsops.wire.callbacks import parse_callback
from qsops.wire.http import header
from service import log
from service.answers import never, unavailable, wait_s
from service.envelope import EVENT_ID_HEADER
from service.errors import StoreUnavailable
from service.gate import Gate
from service.publishing import FAILURE_PATH
from service.store import Store

__all__ = ["CALLBACK_PATH", "Callbacks", "router"]

CALLBACK_PATH: Final = "/api/qstash/callback"
_OUTCOMES: Final = {CALLBACK_PATH: "delivery", FAILURE_PATH: "failure"}


class Callbacks:
    """Records reports, each once."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def record(self, delivery: Delivery, outcome: str) -> Response:
        """The answer to a callback, which is itself a message and retried like one, on the default curve."""
        try:
            report = parse_callback(delivery.body)
        except Corrupt as error:
            return never(str(error))
        event_id = header(report.source_headers, EVENT_ID_HEADER)
        try:
            is_new = await self._store.report(report, outcome, event_id, self._clock.now_ms())
        except StoreUnavailable:
            return unavailable("the database is away: nothing was recorded", wait_s(delivery.retried, None))
        _log(report, outcome, event_id, is_new=is_new)
        return JSONResponse({"recorded": is_new})


def router(callbacks: Callbacks, gate: Gate) -> APIRouter:
    """The two routes that QStash calls back."""
    routes = APIRouter(tags=["qstash"])

    async def receive(request: Request, path: str) -> Response:
        admitted = await gate.admit(request, path)
        return admitted if isinstance(admitted, Response) else await callbacks.record(admitted, _OUTCOMES[path])

    @routes.post(CALLBACK_PATH)
    async def attempted(request: Request) -> Response:
        """What came of one attempt."""
        return await receive(request, CALLBACK_PATH)

    @routes.post(FAILURE_PATH)
    async def failed(request: Request) -> Response:
        """A message has failed for good."""
        return await receive(request, FAILURE_PATH)

    return routes


def _log(report: CallbackReport, outcome: str, event_id: str | None, *, is_new: bool) -> None:
    log.line(
        "callback",
        message_id=report.source_message_id,
        event_id=event_id,
        retried=report.retried,
        outcome=outcome,
        status=report.status,
        dlq_id=report.dlq_id,
        duplicate=None if is_new else True,
    )
