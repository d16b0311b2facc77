"""Ingest: events to QStash at once, or to the outbox; what QStash does not take in time waits there.

In the mode ``direct`` a POST waits for QStash, though never for long: what it has not taken by then goes to the outbox
under the same deduplication id, so that an answer that was lost makes no second message. In the mode ``outbox-first``
one commit is all that a POST waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from qsops.clock import Clock
from service.arrivals import Arrival
from service.deadline import CutOff, within
from service.envelope import Event
from service.errors import StoreUnavailable
from service.failures import AWAY, Failure, Result
from service.instagram import conversation_of
from service.publishing import Messages, Publisher
from service.settings import Settings
from service.store import Store
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
TOO_SLOW: Final = "the database did not answer in time"


class Outbox(Protocol):
    """Who sends the outbox, and wants to know that there is something to do."""

    def wake(self) -> None:
        """Something waits in the outbox."""
        ...

    def qstash_answered(self) -> None:
        """QStash was seen to answer."""
        ...


class Accepted(msgspec.Struct, frozen=True):
    """What became of a request's events: ``accepted`` will be processed, ``queued`` of them wait in the outbox.

    ``duplicates`` were received before, or stand in the same request twice. What is in neither was parked.
    """

    accepted: int = 0
    duplicates: int = 0
    queued: int = 0


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
        self._is_outbox_first = settings.qsops_ingest_mode == "outbox-first"
        self._messages = Messages(settings)
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
        taken = await (self._receive if self._is_outbox_first else self._publish_new)(distinct, until_s)
        return self._counted(taken, len(events) - len(taken))

    async def _receive(self, distinct: Mapping[str, Event], until_s: float) -> list[Arrival]:
        """Put what is new into the outbox; one commit."""
        now_ms = self._clock.now_ms()
        arrivals = [self._arrival(event) for event in distinct.values()]
        entries, outgoing = [one.entry(now_ms) for one in arrivals], [one.outgoing(0) for one in arrivals]
        known = await self._written(until_s, self._store.receive(entries, outgoing, now_ms))
        taken = [one for one in arrivals if one.event.id not in known]
        if taken:
            self._outbox.wake()
        return taken

    async def _publish_new(self, distinct: Mapping[str, Event], until_s: float) -> list[Arrival]:
        """Publish what is new, and note what became of it."""
        known = await self._read(until_s, self._store.known(list(distinct)))
        fresh = [self._arrival(event) for event_id, event in distinct.items() if event_id not in known]
        if fresh:
            await self._publish(fresh, until_s)
            await self._record(fresh, until_s)
        return fresh

    def _arrival(self, event: Event) -> Arrival:
        conversation = conversation_of(event.account, event.kind, event.payload)
        return Arrival(event, self._messages.of(event, self._tracing.carried()), conversation)

    async def _publish(self, fresh: Sequence[Arrival], until_s: float) -> None:
        results: Sequence[Result] = [AWAY] * len(fresh)
        if self._publisher.may_wait():
            left_s = until_s - COMMIT_WITHIN_S - asyncio.get_running_loop().time()
            messages, conversations = [one.message for one in fresh], [one.conversation for one in fresh]
            results = await self._publisher.send(messages, conversations, min(PUBLISH_WITHIN_S, left_s))
            if not any(isinstance(result, Failure) and result.whole for result in results):
                self._outbox.qstash_answered()
        for one, result in zip(fresh, results, strict=True):
            one.result = result

    async def _record(self, sent: Sequence[Arrival], until_s: float) -> None:
        now_ms = self._clock.now_ms()
        left = [one.outgoing(WAIT_MS) for one in sent if one.receipt is None]
        await self._written(until_s, self._store.record([one.entry(now_ms) for one in sent], left, now_ms))
        if left:
            self._outbox.wake()

    def _counted(self, sent: Sequence[Arrival], duplicates: int) -> Accepted:
        counts: dict[str, int] = {"duplicate": duplicates} if duplicates else {}
        for one in sent:
            counts[one.state] = counts.get(one.state, 0) + 1
        for outcome, count in counts.items():
            self._tally.count(EVENTS, outcome, count)
        return Accepted(len(sent) - counts.get("parked", 0), duplicates, counts.get("queued", 0))

    async def _written(self, until_s: float, verb: Coroutine[Any, Any, T]) -> T:
        """What a verb that writes returns, unless that takes too long; it stands or falls without us."""
        try:
            return await within(until_s - asyncio.get_running_loop().time(), verb)
        except CutOff:
            raise StoreUnavailable(TOO_SLOW) from None

    async def _read(self, until_s: float, verb: Coroutine[Any, Any, T]) -> T:
        """What a verb that reads returns, unless that takes too long.

        What has then not ended is not waited for, not even to be cancelled: a database that hangs answers neither.
        """
        task = asyncio.ensure_future(verb)
        await asyncio.wait([task], timeout=max(0.0, until_s - asyncio.get_running_loop().time()))
        if task.done():
            return task.result()
        self._given_up.add(task)
        task.add_done_callback(self._forget)
        task.cancel()
        raise StoreUnavailable(TOO_SLOW)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # It was told to the sender as unavailable, whatever it is.
