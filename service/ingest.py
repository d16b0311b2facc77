"""Ingest: events to publish calls, one batch for a POST; what QStash does not take waits in the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from qsops.clock import Clock
from qsops.models import LedgerEntry, Publish
from service.envelope import Event
from service.instagram import mid_of
from service.publishing import Failure, Publisher, Result, message_of
from service.settings import Settings
from service.store import Outgoing, Store

__all__ = ["Accepted", "Ingest"]

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


class Ingest:
    """Takes events in."""

    def __init__(self, settings: Settings, store: Store, publisher: Publisher, clock: Clock, outbox: Outbox) -> None:
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._outbox = outbox

    async def accept(self, events: Sequence[Event]) -> Accepted:
        """Publish what is new; once this returns, nothing of it can be lost.

        :raises StoreUnavailable: when the database is away: the sender must come again.
        :raises Corrupt: when an event cannot be written as JSON.
        """
        distinct: dict[str, Event] = {}
        for event in events:
            distinct.setdefault(event.id, event)
        known = await self._store.known(list(distinct))
        fresh = [event for event_id, event in distinct.items() if event_id not in known]
        duplicates = len(events) - len(fresh)
        return await self._publish(fresh, duplicates) if fresh else Accepted(duplicates=duplicates)

    async def _publish(self, events: Sequence[Event], duplicates: int) -> Accepted:
        messages = [message_of(event, self._settings) for event in events]
        results = await self._publisher.send(messages)
        now_ms = self._clock.now_ms()
        entries = [_entry(event, result, now_ms) for event, result in zip(events, results, strict=True)]
        left = [
            _outgoing(event, message, result)
            for event, message, result in zip(events, messages, results, strict=True)
            if isinstance(result, Failure)
        ]
        await self._store.record(entries, left, now_ms)
        if not any(isinstance(result, Failure) and result.whole for result in results):
            self._outbox.qstash_answered()
        if left:
            self._outbox.wake()
        parked = sum(one.parked for one in left)
        return Accepted(len(events) - parked, duplicates, len(left) - parked)


def _entry(event: Event, result: Result, now_ms: int) -> LedgerEntry:
    failure = result if isinstance(result, Failure) else None
    return LedgerEntry(
        event_id=event.id,
        kind=event.kind,
        account=event.account,
        state="published" if failure is None else "parked" if failure.parked else "queued",
        received_at_ms=round(event.received_at.timestamp() * 1000),
        mid=mid_of(event.kind, event.payload),
        message_id=None if isinstance(result, Failure) else result.message_id,
        published_at_ms=now_ms if failure is None else None,
        reason=failure.reason if failure else None,
    )


def _outgoing(event: Event, message: Publish, failure: Failure) -> Outgoing:
    return Outgoing(message, event.id, failure.reason, failure.parked, wait_ms=0 if failure.parked else WAIT_MS)
