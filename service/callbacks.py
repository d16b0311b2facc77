"""QStash's callbacks: what became of a message, recorded with its event: a dead one is known without polling."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from qsops.clock import Clock
from qsops.errors import Corrupt
from qsops.models import CallbackReport
from qsops.receive import Delivery
from qsops.wire.callbacks import parse_callback
from qsops.wire.http import header
from service import log
from service.alerts import Alerts
from service.answers import Answer, never, unavailable, wait_s
from service.causes import cause_of
from service.envelope import EVENT_ID_HEADER, decode
from service.errors import NewerEnvelope, StoreUnavailable
from service.gate import Gate
from service.publishing import CALLBACK_PATH, CONSUMER_PATH, FAILURE_PATH
from service.settings import Settings
from service.store import Cause, Store
from service.tally import CALLBACKS, Tally

__all__ = ["Callbacks", "router"]

FAILURE: Final = "failure"
_OUTCOMES: Final = {CALLBACK_PATH: "delivery", FAILURE_PATH: FAILURE}


class Callbacks:
    """Records reports, each once; failures are counted by their cause where ``alerts`` tells of them."""

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, tally: Tally, alerts: Alerts | None = None
    ) -> None:
        self._consumer_url = settings.public_base_url + CONSUMER_PATH
        self._store = store
        self._clock = clock
        self._tally = tally
        self._alerts = alerts

    async def record(self, delivery: Delivery, outcome: str) -> Response:
        """The answer to a callback, which is itself a message and retried like one, on the default curve."""
        try:
            report = parse_callback(delivery.body)
        except Corrupt as error:
            return never(str(error))
        event_id = header(report.source_headers, EVENT_ID_HEADER)
        cause = self._cause(report) if outcome == FAILURE else None
        try:
            is_new = await self._store.report(
                report, outcome, event_id, self._clock.now_ms(), cause if self._alerts else None
            )
        except StoreUnavailable:
            return unavailable("the database is away: nothing was recorded", wait_s(delivery.retried, None))
        self._tally.count(CALLBACKS, outcome if is_new else "duplicate")
        if is_new and cause and self._alerts:
            self._alerts.wake()
        _log(report, outcome, event_id, cause, is_new=is_new)
        return Answer({"recorded": is_new})

    def _cause(self, report: CallbackReport) -> Cause:
        kind = _kind(report.source_body) if report.url == self._consumer_url else None
        return Cause(cause_of(report, self._consumer_url), kind)


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


def _kind(body: bytes) -> str | None:
    """Of which kind the event is that failed; None if the message was none, or came without its body."""
    try:
        return decode(body).kind
    except (Corrupt, NewerEnvelope):
        return None


def _log(report: CallbackReport, outcome: str, event_id: str | None, cause: Cause | None, *, is_new: bool) -> None:
    log.line(
        "callback",
        message_id=report.source_message_id,
        event_id=event_id,
        retried=report.retried,
        outcome=outcome,
        status=report.status,
        cause=cause.text if cause else None,
        dlq_id=report.dlq_id,
        duplicate=None if is_new else True,
    )
