"""What the publisher was answered: its own books, which no engine has a hand in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

__all__ = ["KINDS", "NOT_DUE", "Ledger", "kind_of", "new_key"]

#: What a message's key begins with, and so its body, says what is to become of it.
KINDS: Final = ("plain", "batch", "once", "reported", "doomed", "later", "recalled", "queued")
#: These are due in an hour: they stay pending, or are taken back.
NOT_DUE: Final = ("later", "recalled")


@dataclass
class Ledger:
    """Keys of messages, as they stand in the bodies, and the ids that were answered.

    ``accepted`` is in the order of the answers, ``due`` those of it that must come to the receiver. ``lost`` are
    requests whose answer never came: the keys of each may have been accepted, all or none. ``recalled`` are keys whose
    cancelling was answered, ``repeated`` counts the publishes that were answered as duplicates.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    lost: list[tuple[str, ...]] = field(default_factory=list)
    recalled: set[str] = field(default_factory=set)
    repeated: int = 0

    def accept(self, key: str, message_id: str) -> None:
        """The message was answered 2xx; a second answer must name the same id."""
        first = self.accepted.setdefault(key, message_id)
        assert first == message_id, f"{key} was accepted as {first}, and again as {message_id}"
        if kind_of(key) not in NOT_DUE:
            self.due.add(key)

    def doubtful(self) -> set[str]:
        """The keys that may have been accepted, for all that the publisher knows."""
        return {key for keys in self.lost for key in keys} - set(self.accepted)

    def count(self) -> Counter[str]:
        """How many of each kind were accepted."""
        return Counter(kind_of(key) for key in self.accepted)


def new_key(kind: str, lane: str, number: int) -> str:
    """``kind.lane.number``: unique, and in a queue the order."""
    return f"{kind}.{lane}.{number}"


def kind_of(key: str) -> str:
    """What is to become of it."""
    return key.partition(".")[0]
