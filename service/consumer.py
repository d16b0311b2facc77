"""The consumer: what QStash delivers is processed once, and the answer says what QStash shall do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from qsops import receive
from qsops.clock import Clock
from qsops.errors import Corrupt
from qsops.models import LedgerEntry
from service import log
from service.answers import never, refusal, unavailable, wait_s
from service.envelope import Event, decode
from service.errors import NewerEnvelope, Permanent, RetryAfter, StoreUnavailable
from service.gate import Gate
from service.ingest import Outbox
from service.instagram import mid_of
from service.processing import Delivery, Handler, run
from service.publishing import CONSUMER_PATH
from service.settings import Settings
from service.store import Effects, Store

__all__ = ["HANDLER_FAILED", "Consumer", "router"]

HANDLER_FAILED: Final = "the handler failed: {error}"
DATABASE_AWAY: Final = "the database is away: nothing was committed"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a delivery: a word for the log, the answer, and the name of the error behind it."""

    word: str
    answer: Response
    error: str | None = None


class Consumer:
    """Runs the handler on each verified delivery, and commits its effects with the claim."""

    def __init__(self, settings: Settings, store: Store, handler: Handler, clock: Clock, outbox: Outbox) -> None:
        self._settings = settings
        self._store = store
        self._handler = handler
        self._clock = clock
        self._outbox = outbox

    async def consume(self, delivery: receive.Delivery) -> Response:
        """The answer to ``delivery``; one log line, whatever happens."""
        started_s = self._clock.monotonic_s()
        event, outcome = await self._decode_and_process(delivery)
        log.line(
            "delivery",
            message_id=delivery.message_id,
            event_id=event.id if event else None,
            kind=event.kind if event else None,
            retried=delivery.retried,
            outcome=outcome.word,
            status=outcome.answer.status_code,
            error=outcome.error,
            ms=round((self._clock.monotonic_s() - started_s) * 1000, 3),
        )
        return outcome.answer

    async def _decode_and_process(self, delivery: receive.Delivery) -> tuple[Event | None, _Outcome]:
        try:
            event = decode(delivery.body)
        except NewerEnvelope as error:
            return None, self._later("newer", delivery, error)
        except Corrupt as error:
            return None, _Outcome("malformed", never(str(error)), "Corrupt")
        return event, await self._process(event, delivery)

    async def _process(self, event: Event, delivery: receive.Delivery) -> _Outcome:
        try:
            claimed = await self._run_and_commit(event, delivery)
        except Permanent as error:
            return _Outcome("permanent", never(error.reason), "Permanent")
        except RetryAfter as error:
            return self._later("retry_after", delivery, error, error.seconds, error.status)
        except StoreUnavailable as error:
            return self._later("database_away", delivery, error)
        except Exception as error:  # noqa: BLE001  # whatever a handler raises is an answer to QStash, not our end
            name = type(error).__name__
            return _Outcome("failed", refusal(500, HANDLER_FAILED.format(error=name)), name)
        word = "processed" if claimed else "duplicate"
        return _Outcome(word, JSONResponse({"status": word}))

    async def _run_and_commit(self, event: Event, delivery: receive.Delivery) -> bool:
        settings = self._settings
        attempt = Delivery(delivery.message_id, delivery.retried, settings.delivery_timeout_s, settings.qsops_retries)
        collected = await run(self._handler, event, attempt, self._store)
        now_ms = self._clock.now_ms()
        effects = Effects(_entry(event, delivery, now_ms), collected.statements, collected.outgoing)
        claimed = await self._store.commit(effects, now_ms)
        if claimed and collected.outgoing:
            self._outbox.wake()
        return claimed

    def _later(
        self, word: str, delivery: receive.Delivery, error: Exception, asked_s: float = 0, status: int = 503
    ) -> _Outcome:
        after_s = wait_s(delivery.retried, self._settings.qsops_retry_delay, asked_s)
        # The store's own words name a file of this machine, which is nobody else's business.
        text = DATABASE_AWAY if isinstance(error, StoreUnavailable) else str(error)
        return _Outcome(word, unavailable(text, after_s, status), type(error).__name__)


def router(consumer: Consumer, gate: Gate) -> APIRouter:
    """The route that QStash delivers to."""
    routes = APIRouter(tags=["qstash"])

    @routes.post(CONSUMER_PATH)
    async def consume(request: Request) -> Response:
        """One delivery of one event."""
        admitted = await gate.admit(request, CONSUMER_PATH)
        return admitted if isinstance(admitted, Response) else await consumer.consume(admitted)

    return routes


def _entry(event: Event, delivery: receive.Delivery, now_ms: int) -> LedgerEntry:
    return LedgerEntry(
        event_id=event.id,
        kind=event.kind,
        account=event.account,
        state="processed",
        received_at_ms=round(event.received_at.timestamp() * 1000),
        mid=mid_of(event.kind, event.payload),
        message_id=delivery.message_id,
        processed_at_ms=now_ms,
        deliveries=delivery.retried + 1,
    )
