"""Ingest: events to QStash at once, or to the outbox; what QStash does not take in time waits there.

In the mode ``direct`` a POST waits for QStash, though never for long: what it has not taken by then goes to the outbox
under the same deduplication id, so that an answer that was lost makes no second message. In the mode ``outbox-first``
one commit is all that a POST waits for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeVar

from qsops.clock import Clock
from qsops.models import LedgerEntry, Publish, Receipt
from service.envelope import Event
from service.errors import StoreUnavailable
from service.failures import AWAY, Failure, Result
from service.instagram import conversation_of, mid_of
from service.publishing import Publisher, message_of
from service.settings import Settings
from service.store import Outgoing, Store
from service.tally import EVENTS, Tally
from service.tracing import NO_TRACING, NoTracing

__all__ = ["ANSWER_WITHIN_S", "EVENT_WITHIN_S", "PUBLISH_WITHIN_S", "Accepted", "Ingest", "Outbox"]

T = TypeVar("T")

#: All that a POST waits for, QStash and the database together; Meta is answered within a second.
ANSWER_WITHIN_S: Final = 0.95
#: And so much more for each event: of a large POST it is our own work that takes time, and a 503 would make it twice.
EVENT_WITHIN_S: Final = 0.001
#: What of it may be spent on QStash.
PUBLISH_WITHIN_S: Final = 0.5
#: What of it is kept for the commit.
COMMIT_WITHIN_S: Final = 0.25
#: What has just failed is not tried again at once.
WAIT_MS: Final = 1_000


class Outbox(Protocol):
    """Who sends the outbox, and wants to know that there is something to do."""

    def wake(self) -> None:
        """Something waits in the outbox."""
        ...

    def qstash_answered(self) -> None:
        """QStash was seen to answer."""
        ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a request's events: ``accepted`` will be processed, ``queued`` of them wait in the outbox.

    ``duplicates`` were received before, or stand in the same request twice. What is in neither was parked.
    """

    accepted: int = 0
    duplicates: int = 0
    queued: int = 0


@dataclass(slots=True)
class _Sending:
    """An event on its way: the message that it becomes, and what QStash made of it; None if it was not asked."""

    event: Event
    message: Publish
    conversation: str | None
    result: Result | None = None

    @property
    def receipt(self) -> Receipt | None:
        return self.result if isinstance(self.result, Receipt) else None

    @property
    def failure(self) -> Failure | None:
        return self.result if isinstance(self.result, Failure) else None

    @property
    def state(self) -> Literal["published", "parked", "queued"]:
        if self.receipt is not None:
            return "published"
        return "parked" if self.failure is not None and self.failure.parked else "queued"


class Ingest:
    """Takes events in."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        publisher: Publisher,
        clock: Clock,
        outbox: Outbox,
        tally: Tally,
        tracing: NoTracing = NO_TRACING,
    ) -> None:
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._outbox = outbox
        self._tally = tally
        self._tracing = tracing
        #: Calls to the database that nobody waits for any more.
        self._given_up: set[asyncio.Task[Any]] = set()

    async def accept(self, events: Sequence[Event]) -> Accepted:
        """Publish what is new, or put it into the outbox; once this returns, nothing of it can be lost.

        :raises StoreUnavailable: when the database is away, or takes too long: the sender must come again. What was
            published by then is published once all the same, since a repeat has the same deduplication id.
        :raises Corrupt: when an event cannot be written as JSON.
        """
        until_s = asyncio.get_running_loop().time() + ANSWER_WITHIN_S + EVENT_WITHIN_S * len(events)
        distinct: dict[str, Event] = {}
        for event in events:
            distinct.setdefault(event.id, event)
        known = await self._within(until_s, self._store.known(list(distinct)))
        fresh = [self._sending(event) for event_id, event in distinct.items() if event_id not in known]
        if fresh and self._settings.qsops_ingest_mode == "direct":
            await self._publish(fresh, until_s)
        if fresh:
            await self._record(fresh, until_s)
        return self._counted(fresh, len(events) - len(fresh))

    def _sending(self, event: Event) -> _Sending:
        conversation = conversation_of(event.account, event.kind, event.payload)
        return _Sending(event, message_of(event, self._settings, self._tracing.carried()), conversation)

    async def _publish(self, fresh: Sequence[_Sending], until_s: float) -> None:
        results: Sequence[Result] = [AWAY] * len(fresh)
        if self._publisher.may_wait():
            left_s = until_s - COMMIT_WITHIN_S - asyncio.get_running_loop().time()
            messages, conversations = [one.message for one in fresh], [one.conversation for one in fresh]
            results = await self._publisher.send(messages, conversations, min(PUBLISH_WITHIN_S, left_s))
            if not any(isinstance(result, Failure) and result.whole for result in results):
                self._outbox.qstash_answered()
        for one, result in zip(fresh, results, strict=True):
            one.result = result

    async def _record(self, sent: Sequence[_Sending], until_s: float) -> None:
        now_ms = self._clock.now_ms()
        left = [_outgoing(one) for one in sent if one.receipt is None]
        await self._within(until_s, self._store.record([_entry(one, now_ms) for one in sent], left, now_ms))
        if left:
            self._outbox.wake()

    def _counted(self, sent: Sequence[_Sending], duplicates: int) -> Accepted:
        states = Counter(one.state for one in sent)
        for state, count in states.items():
            self._tally.count(EVENTS, state, count)
        if duplicates:
            self._tally.count(EVENTS, "duplicate", duplicates)
        return Accepted(len(sent) - states["parked"], duplicates, states["queued"])

    async def _within(self, until_s: float, verb: Coroutine[Any, Any, T]) -> T:
        """What a verb of the store returns, unless that takes too long.

        What has then not ended is not waited for, not even to be cancelled: a database that hangs answers neither.
        """
        task = asyncio.ensure_future(verb)
        await asyncio.wait([task], timeout=max(0.0, until_s - asyncio.get_running_loop().time()))
        if task.done():
            return task.result()
        self._given_up.add(task)
        task.add_done_callback(self._forget)
        task.cancel()
        raise StoreUnavailable("the database did not answer in time")

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # It was told to the sender as unavailable, whatever it is.


def _entry(one: _Sending, now_ms: int) -> LedgerEntry:
    event, receipt, failure = one.event, one.receipt, one.failure
    return LedgerEntry(
        event_id=event.id,
        kind=event.kind,
        account=event.account,
        state=one.state,
        received_at_ms=round(event.received_at.timestamp() * 1000),
        mid=mid_of(event.kind, event.payload),
        message_id=receipt.message_id if receipt else None,
        published_at_ms=now_ms if receipt else None,
        reason=failure.reason if failure else None,
    )


def _outgoing(one: _Sending) -> Outgoing:
    failure = one.failure
    parked = failure is not None and failure.parked
    return Outgoing(
        one.message,
        one.event.id,
        failure.reason if failure else None,
        parked,
        wait_ms=0 if parked or failure is None else WAIT_MS,
        conversation=one.conversation,
    )
