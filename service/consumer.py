"""The consumer: what QStash delivers is processed once, and the answer says what QStash shall do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response

from qsops import receive
from qsops.clock import Clock
from qsops.errors import Corrupt
from qsops.models import LedgerEntry
from service import outcomes
from service.answers import never, refusal, unavailable, wait_s
from service.envelope import Event, decode
from service.errors import HandlerTimeout, NewerEnvelope, NoThread, Permanent, RetryAfter, StoreUnavailable
from service.gate import Gate
from service.ingest import Outbox
from service.instagram import mid_of
from service.outcomes import DUPLICATE, PROCESSED, Outcome
from service.processing import Delivery, Runner
from service.publishing import CONSUMER_PATH, follow_up
from service.settings import Settings
from service.store import Effects, Outgoing, Store
from service.tally import Tally
from service.tracing import NO_TRACING, NoTracing

__all__ = ["HANDLER_FAILED", "Consumer", "router"]

HANDLER_FAILED: Final = "the handler failed: {error}"
DATABASE_AWAY: Final = "the database is away: nothing was committed"
BUSY: Final = "as many deliveries as QSOPS_CONCURRENCY allows are under way"


class Consumer:
    """Runs the handler on each verified delivery, and commits its effects with the claim."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        runner: Runner,
        clock: Clock,
        outbox: Outbox,
        tally: Tally,
        tracing: NoTracing = NO_TRACING,
    ) -> None:
        self._settings = settings
        self._timeout_s = settings.delivery_timeout_s
        self._store = store
        self._runner = runner
        self._clock = clock
        self._outbox = outbox
        self._tally = tally
        self._tracing = tracing
        self._under_way = 0

    async def consume(self, delivery: receive.Delivery) -> Response:
        """The answer to ``delivery``; one log line, whatever happens."""
        started_s = self._clock.monotonic_s()
        if self._tracing.enabled:
            with self._tracing.continued("qsops.delivery", delivery.headers) as span:
                event, outcome = await self._decode_and_process(delivery)
                outcomes.tell(span, delivery, event, outcome)
        else:
            event, outcome = await self._decode_and_process(delivery)
        self._tally.delivered(outcome.word)
        outcomes.write(delivery, event, outcome, self._clock.monotonic_s() - started_s)
        return outcome.answer

    async def _decode_and_process(self, delivery: receive.Delivery) -> tuple[Event | None, Outcome]:
        try:
            event = decode(delivery.body)
        except NewerEnvelope as error:
            return None, self._later("newer", delivery, str(error), error)
        except Corrupt as error:
            return None, Outcome("malformed", never(str(error)), "Corrupt")
        if self._under_way >= self._settings.qsops_concurrency:
            return event, self._later("busy", delivery, BUSY)
        self._under_way += 1
        try:
            return event, await self._process(event, delivery)
        finally:
            self._under_way -= 1

    async def _process(self, event: Event, delivery: receive.Delivery) -> Outcome:
        try:
            claimed = await self._run_and_commit(event, delivery)
        except Permanent as error:
            return Outcome("permanent", never(error.reason), "Permanent")
        except RetryAfter as error:
            return self._later("retry_after", delivery, str(error), error, error.seconds, error.status)
        except HandlerTimeout as error:
            return self._later("timeout", delivery, str(error), error)
        except NoThread as error:
            return self._later("busy", delivery, str(error), error)
        except StoreUnavailable as error:
            # Its own words name a file of this machine, which is nobody else's business.
            return self._later("database_away", delivery, DATABASE_AWAY, error)
        except Exception as error:  # noqa: BLE001  # whatever a handler raises is an answer to QStash, not our end
            name = type(error).__name__
            return Outcome("failed", refusal(500, HANDLER_FAILED.format(error=name)), name)
        return PROCESSED if claimed else DUPLICATE

    async def _run_and_commit(self, event: Event, delivery: receive.Delivery) -> bool:
        attempt = Delivery(delivery.message_id, delivery.retried, self._timeout_s, self._settings.qsops_retries)
        started_s = self._clock.monotonic_s()
        try:
            collected = await self._runner.run(event, attempt)
        finally:
            self._tally.handler_took(self._clock.monotonic_s() - started_s)
        now_ms = self._clock.now_ms()
        outgoing = self._travelling(collected.outgoing) if collected.outgoing else ()
        effects = Effects(_entry(event, delivery, now_ms), collected.statements, outgoing)
        claimed = await self._store.commit(effects, now_ms)
        if claimed and outgoing:
            self._outbox.wake()
        return claimed

    def _travelling(self, collected: Sequence[Outgoing]) -> list[Outgoing]:
        carried = self._tracing.carried()
        return [
            msgspec.structs.replace(one, publish=follow_up(one.publish, self._settings, carried)) for one in collected
        ]

    def _later(
        self,
        word: str,
        delivery: receive.Delivery,
        text: str,
        error: Exception | None = None,
        asked_s: float = 0,
        status: int = 503,
    ) -> Outcome:
        after_s = wait_s(delivery.retried, self._settings.qsops_retry_delay, asked_s)
        return Outcome(word, unavailable(text, after_s, status), type(error).__name__ if error else None)


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
