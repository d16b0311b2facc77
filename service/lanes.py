"""Messages parted for sending: requests of bounded size, and what is of one conversation one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    _room: int = 0
    _room_bytes: int = 0
    _load: int = 0

    def has_room(self, size: int) -> bool:
        """Whether the last request can take one more message of ``size`` bytes."""
        return self._room > 0 and self._room_bytes >= size

    def add(self, number: int, size: int, *, alone: bool) -> None:
        """Put a message at the end, into a request of its own if it is to go ``alone``."""
        if alone or not self.has_room(size):
            self.requests.append([])
            self._room, self._room_bytes = BATCH, BATCH_BYTES
        self.requests[-1].append(number)
        self._room = 0 if alone else self._room - 1
        self._room_bytes -= size
        self._load += size

    @property
    def load(self) -> int:
        """How many bytes are to be sent."""
        return self._load


def lanes(messages: Sequence[Publish], conversations: Sequence[str | None]) -> list[Lane]:
    """At most LANES lanes, which may be sent at the same time, since no conversation is in two of them.

    A lane is opened when a request is full: what fits into one is one.
    """
    found: list[Lane] = []
    homes: dict[str, Lane] = {}
    for number, (message, conversation) in enumerate(zip(messages, conversations, strict=True)):
        size = len(message.body) + _OPTIONS_BYTES
        lane = homes.get(conversation) if conversation is not None else None
        if lane is None:
            lane = _free(found, size)
            if conversation is not None:
                homes[conversation] = lane
        # A batch is JSON and carries text alone.
        lane.add(number, size, alone=not fits_batch(message))
    return found


def _free(found: list[Lane], size: int) -> Lane:
    """The lane for a message that may go anywhere."""
    if found and found[-1].has_room(size):
        return found[-1]
    if len(found) < LANES:
        found.append(Lane())
        return found[-1]
    return min(found, key=lambda lane: lane.load)
