"""What was asked of the engine, and what the log has said of it so far; nothing of how the engine does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from qsops.models import DEFAULT_RETRIES, Endpoint, FlowControl, LogEntry, Publish, State
from tests.engine.simulation.destinations import Arrival

__all__ = ["FINAL", "Books", "Key", "Lane", "Plan", "Sent"]

FINAL: Final = frozenset({State.DELIVERED, State.FAILED, State.CANCELED})


@dataclass(slots=True, eq=False)
class Sent:
    """A message. ``publish`` is what its destination gets, and how; ``reports``, the callbacks about it.

    ``base_ms`` is when its next attempt is due, ``failures`` are those that are in the log, ``life`` is the one in
    which an attempt is under way, and ``arrival`` what the destination saw of it.
    """

    message_id: str
    account: int
    publish: Publish
    accepted_ms: int
    due_ms: int
    order: int
    source: Sent | None = None
    schedule_id: str | None = None
    group: str | None = None
    fired: bool = False
    states: list[str] = field(default_factory=list)
    expected: frozenset[str] = frozenset({State.CREATED})
    base_ms: int = 0
    failures: int = 0
    life: int | None = None
    arrival: Arrival | None = None
    tried: bool = False
    cancel_ms: int | None = None
    ended_ms: int | None = None
    reports: list[Sent] = field(default_factory=list)
    awaited: list[tuple[str, int, int]] = field(default_factory=list)
    unseen: list[Arrival] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base_ms = self.due_ms

    @property
    def max_retries(self) -> int:
        return DEFAULT_RETRIES if self.publish.retries is None else self.publish.retries

    @property
    def flow(self) -> FlowControl | None:
        return self.publish.flow_control

    @property
    def queue(self) -> str | None:
        return self.publish.queue

    @property
    def gated(self) -> bool:
        return self.queue is not None or self.flow is not None

    @property
    def holds(self) -> bool:
        """Whether it may stand in anybody's way: not over, nor taken back before it was under way."""
        return self.ended_ms is None and (self.cancel_ms is None or self.life is not None)

    @property
    def holds_place(self) -> bool:
        """Whether the next of its queue has to wait for it, or for what is told of it."""
        return self.holds or any(report.holds for report in self.reports)


@dataclass(slots=True)
class Lane:
    """A queue. ``widest`` is the largest parallelism since everybody last came to rest."""

    parallelism: int = 1
    paused: bool = False
    deleted: bool = False
    widest: int = 1


@dataclass(slots=True)
class Key:
    """A flow-control key. ``windows``: when the latest may have begun, and the calls that it has seen then.

    ``loosest`` are the limits that held since everybody last came to rest.
    """

    limits: FlowControl
    pinned_parallelism: bool = False
    pinned_rate: bool = False
    paused: bool = False
    loosest: list[FlowControl] = field(default_factory=list)
    windows: set[tuple[int, int]] = field(default_factory=lambda: {(-(10**15), 0)})


@dataclass(slots=True)
class Plan:
    """A schedule that fires every ``minutes``, on the hour among them."""

    account: int
    minutes: int
    publish: Publish
    next_ms: int
    last_ms: int | None = None
    paused: bool = False


@dataclass(slots=True)
class Books:
    """All of it. ``doubtful`` were sent to an engine that died before it answered.

    Until ``full_until_ms`` an account had as much under way as its plan allows.
    """

    messages: dict[str, Sent] = field(default_factory=dict)
    pending: dict[str, Sent] = field(default_factory=dict)
    log: list[list[LogEntry]] = field(default_factory=lambda: [[], []])
    letters: dict[str, tuple[int, int]] = field(default_factory=dict)
    first_ids: dict[tuple[int, str, str], tuple[str, int]] = field(default_factory=dict)
    lanes: dict[tuple[int, str], Lane] = field(default_factory=dict)
    keys: dict[tuple[int, str], Key] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    groups: dict[tuple[int, str], tuple[Endpoint, ...]] = field(default_factory=dict)
    full_until_ms: list[int] = field(default_factory=lambda: [-1, -1])
    doubtful: list[tuple[int, Publish]] = field(default_factory=list)
    bodies: int = 0

    def next_body(self) -> bytes:
        """One that no other message has, so that its destination knows it by it."""
        self.bodies += 1
        return b"body %d" % self.bodies

    def add(self, sent: Sent) -> None:
        assert sent.message_id not in self.messages, f"{sent.message_id} was given twice"
        self.messages[sent.message_id] = self.pending[sent.message_id] = sent

    def of_lane(self, account: int, name: str) -> Iterator[Sent]:
        """The messages of a queue that are not over with all that is told of them, in the order of acceptance."""
        return (one for one in self.pending.values() if one.account == account and one.queue == name)

    def of_key(self, account: int, key: str) -> Iterator[Sent]:
        return (one for one in self.pending.values() if one.account == account and one.flow and one.flow.key == key)

    def under_way(self, account: int, now_ms: int) -> int:
        """How many calls wait for their answer. What has one is no call any more, though it may not be written yet."""
        own = (one for one in self.pending.values() if one.account == account and one.life is not None)
        return sum(one.arrival is None or one.arrival.end_ms > now_ms for one in own)

    def tidy(self) -> None:
        """Leave out of ``pending`` what is over, and whose reports are over."""
        over = [one for one in self.pending.values() if one.ended_ms is not None and not one.holds_place]
        for one in over:
            del self.pending[one.message_id]
