"""The values that cross the store's port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from qsops.models import LedgerEntry, Publish

__all__ = [
    "Backlog",
    "Cause",
    "Effects",
    "FailureGroup",
    "LedgerFilter",
    "Outgoing",
    "Parameters",
    "Parked",
    "Postponed",
    "Queued",
    "Row",
    "Sent",
    "Statement",
    "Unreadable",
    "Verdict",
]

#: Values of the ``:name`` parameters of a statement.
Parameters = Mapping[str, Any]
Row = dict[str, Any]


class Statement(msgspec.Struct, frozen=True):
    """SQL with named parameters (``:name``)."""

    sql: str
    parameters: Parameters = {}


class Outgoing(msgspec.Struct, frozen=True):
    """A message that is still to be published. Its deduplication id is its identity here, too.

    ``event_id`` is set where the message *is* the event, not something that its processing sends. ``reason`` says why
    it was not published at once; a ``parked`` one is not tried again, others not for ``wait_ms``. What is of one
    ``conversation`` is sent in the order in which it was put in.
    """

    publish: Publish
    event_id: str | None = None
    reason: str | None = None
    parked: bool = False
    wait_ms: int = 0
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """A row of the outbox that is due, after ``attempts`` tries of the relay."""

    row_id: int
    publish: Publish
    event_id: str | None
    attempts: int
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row of the outbox that holds no request that QStash could take; ``reason`` quotes nothing of it."""

    row_id: int
    event_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """QStash took it, as ``message_id``."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """It is to be tried again at ``due_at_ms``."""

    reason: str
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class Parked:
    """It was refused for good, and waits for a person."""

    reason: str


Verdict = Sent | Postponed | Parked


@dataclass(frozen=True, slots=True)
class Backlog:
    """The outbox at a glance: since when the oldest queued row waits, and when the next can be taken."""

    queued: int = 0
    parked: int = 0
    oldest_ms: int | None = None
    due_at_ms: int | None = None


class Effects(msgspec.Struct, frozen=True):
    """What processing one event leaves behind. ``entry`` is the event as the ledger will have it."""

    entry: LedgerEntry
    statements: Sequence[Statement] = ()
    outgoing: Sequence[Outgoing] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a message failed, in the words of all that fail alike; ``kind`` is its event's, None if it is no event."""

    text: str
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Messages that failed for one ``cause``; ``kind`` is that of the last one's event, None if it was no event.

    ``passed`` is False until somebody was told that they fail, and then means that they do no longer. Those that are
    parked have not failed yet: they wait in the outbox, for a person.
    """

    cause: str
    kind: str | None
    messages: int
    first_at_ms: int
    last_at_ms: int
    passed: bool
    is_parked: bool = False


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which entries of the ledger; fields are ANDed."""

    event_id: str | None = None
    mid: str | None = None
    message_id: str | None = None
    state: str | None = None
    kind: str | None = None
