"""Reprocessing on purpose: events are taken once more, as if they had never been processed.

Their claims are forgotten, then they are put into the outbox as new messages: QStash would drop one that has the
deduplication id of an earlier. In this order: a claim that stood when the message came would make it a duplicate, while
one that is forgotten too early is made again by whatever comes first.

What a handler keys by the event's identity merges with what is there, as our own handler does. What it does not, and
messages of its own, happen once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from qsops.clock import Clock, Ids
from service.envelope import Event
from service.ingest import Outbox
from service.instagram import conversation_of
from service.processing import deduplication_id
from service.publishing import Messages
from service.settings import Settings
from service.store import Outgoing, Store

__all__ = ["Reprocessed", "Reprocessing"]

REASON: Final = "reprocessed on purpose"


@dataclass(frozen=True, slots=True)
class Reprocessed:
    """``queued`` events are on their way; ``released`` of them had been processed."""

    queued: int
    released: int


class Reprocessing:
    """Takes events once more."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, ids: Ids, outbox: Outbox) -> None:
        self._messages = Messages(settings)
        self._store = store
        self._clock = clock
        self._ids = ids
        self._outbox = outbox

    async def take(self, events: Sequence[Event]) -> Reprocessed:
        """Release ``events`` and queue them, each once, in their order.

        :raises StoreUnavailable: perhaps between the two: then come again, which harms nothing.
        :raises Corrupt: when an event cannot be written as JSON; nothing was done.
        """
        distinct = {event.id: event for event in events}
        outgoing = [self._outgoing(event) for event in distinct.values()]
        released = await self._store.release(list(distinct))
        await self._store.record([], outgoing, self._clock.now_ms())
        self._outbox.wake()
        return Reprocessed(len(distinct), len(released))

    def _outgoing(self, event: Event) -> Outgoing:
        fresh = deduplication_id(f"{event.id}/{self._ids.make('again_')}")
        message = msgspec.structs.replace(self._messages.of(event), deduplication_id=fresh)
        conversation = conversation_of(event.account, event.kind, event.payload)
        return Outgoing(message, event.id, REASON, conversation=conversation)
