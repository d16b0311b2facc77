"""Messages parted for sending: requests of bounded size, and what is of one conversation one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from qsops.models import Publish
from qsops.wire.publishing import fits_batch

__all__ = ["BATCH", "BATCH_BYTES", "LANES", "Lane", "lanes"]

#: Messages in one request.
BATCH: Final = 100
#: Bytes of bodies in one request: what takes long to send runs out of a publish's patience.
BATCH_BYTES: Final = 512 * 1024
#: Requests in flight at once.
LANES: Final = 4
# What a message's options take beside its body.
_OPTIONS_BYTES: Final = 1024


@dataclass(slots=True)
class Lane:
    """Requests that go one after another; each holds the numbers of its messages, in their order."""

    requests: list[list[int]] = field(default_factory=list)
    #: Bytes that are to be sent in all.
    load: int = 0
    _room: int = 0
    _room_bytes: int = 0

    def add(self, number: int, size: int, *, alone: bool) -> None:
        """Put a message of ``size`` bytes at the end, into a request of its own if it is to go ``alone``."""
        if alone or self._room == 0 or self._room_bytes < size:
            self.requests.append([])
            self._room, self._room_bytes = BATCH, BATCH_BYTES
        self.requests[-1].append(number)
        self._room = 0 if alone else self._room - 1
        self._room_bytes -= size
        self.load += size


def lanes(messages: Sequence[Publish], conversations: Sequence[str | None]) -> list[Lane]:
    """At most LANES lanes, which may be sent at the same time, since no conversation is in two of them.

    There are no more of them than there are requests to fill: what fits into one is one.
    """
    sizes = [len(message.body) + _OPTIONS_BYTES for message in messages]
    needed = max(ceil(len(messages) / BATCH), ceil(sum(sizes) / BATCH_BYTES))
    found = [Lane() for _ in range(min(LANES, needed))]
    homes: dict[str, Lane] = {}
    for number, (message, conversation) in enumerate(zip(messages, conversations, strict=True)):
        lane = homes.get(conversation) if conversation is not None else None
        if lane is None:
            lane = min(found, key=lambda one: one.load)
            if conversation is not None:
                homes[conversation] = lane
        # A batch is JSON and carries text alone.
        lane.add(number, sizes[number], alone=not fits_batch(message))
    return [lane for lane in found if lane.requests]
