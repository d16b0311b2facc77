"""What must hold of the books of publisher, receiver and engine together, however often the engine was killed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from tests.engine.durability.ledger import Ledger, kind_of
from tests.engine.durability.receiver import Arrival, Receiver
from tests.engine.durability.story import FINAL, Story

__all__ = [
    "batches_are_whole",
    "ends_are_ends",
    "every_attempt_is_reported",
    "ids_stand",
    "letters_match",
    "nothing_is_lost",
    "nothing_unasked",
    "queues_keep_their_order",
    "retries_are_earned",
    "states_go_forward",
]

#: What may follow: ACTIVE upon ACTIVE is an attempt whose outcome a kill swallowed.
_AFTER: Final = {
    "": {"CREATED"},
    "CREATED": {"ACTIVE", "CANCEL_REQUESTED"},
    "ACTIVE": {"ACTIVE", "ERROR", "DELIVERED"},
    "ERROR": {"RETRY", "FAILED"},
    "RETRY": {"ACTIVE"},
    "CANCEL_REQUESTED": {"CANCELED"},
}


def nothing_is_lost(ledger: Ledger, receiver: Receiver, story: Story) -> None:
    """What was answered has come, or has failed as it was bound to; what is not due yet is pending still."""
    arrived = {arrival.key for arrival in receiver.arrivals}
    assert ledger.due - arrived == set()
    wrong = {}
    for key, message_id in ledger.accepted.items():
        states = story.states.get(message_id, [])
        ends = {"doomed": ["FAILED"], "later": ["CREATED"], "recalled": ["CANCEL_REQUESTED", "CREATED"]}
        if states[-1:] and states[-1] in ends.get(kind_of(key), ["DELIVERED"]):
            continue
        wrong[key] = states
    assert wrong == {}
    assert [key for key in ledger.recalled if "CANCEL_REQUESTED" not in story.states[ledger.accepted[key]]] == []


def nothing_unasked(ledger: Ledger, receiver: Receiver) -> None:
    """What came was answered, or its answer was lost on the way; what was taken back or is not due did not come."""
    arrived = {arrival.key for arrival in receiver.arrivals}
    assert arrived - ledger.due - ledger.doubtful() == set()


def ids_stand(ledger: Ledger, receiver: Receiver) -> None:
    """Every attempt of a message bears one id, the one that was answered, and its count never goes back."""
    attempts: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in receiver.arrivals:
        attempts[arrival.key].append(arrival)
    for key, arrivals in attempts.items():
        ids = {arrival.message_id for arrival in arrivals}
        assert len(ids) == 1, (key, ids)
        assert ledger.accepted.get(key) in (None, *ids), (key, ids, ledger.accepted[key])
        counts = [arrival.retried for arrival in arrivals]
        assert counts == sorted(counts), (key, counts)


def retries_are_earned(receiver: Receiver) -> None:
    """An attempt counts as a retry only after the receiver itself had failed as often: no kill spends one."""
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for arrival in receiver.arrivals:
        assert arrival.retried <= failures[arrival.key], (arrival, failures[arrival.key])
        counts[arrival.key] += 1
        failures[arrival.key] += receiver.script(arrival.key, counts[arrival.key]) in ("500", "drop")


def states_go_forward(story: Story) -> None:
    """Each state follows from the one before, and is no earlier than it."""
    wrong = {
        message_id: states
        for message_id, states in story.states.items()
        if any(after not in _AFTER.get(before, ()) for before, after in pairwise(["", *states]))
    }
    assert wrong == {}
    assert {message_id: times for message_id, times in story.times_ms.items() if times != sorted(times)} == {}


def ends_are_ends(receiver: Receiver, story: Story) -> None:
    """A message has one final state, and no attempt of it comes after that."""
    finals = {message_id: sum(state in FINAL for state in states) for message_id, states in story.states.items()}
    assert {message_id: count for message_id, count in finals.items() if count > 1} == {}
    late = [
        arrival
        for arrival in receiver.arrivals
        if arrival.at_ms > story.ended_ms.get(arrival.message_id, arrival.at_ms)
    ]
    assert late == []


def batches_are_whole(ledger: Ledger, receiver: Receiver) -> None:
    """Of a batch whose answer was lost all items were accepted, or none."""
    arrived = {arrival.key for arrival in receiver.arrivals}
    for keys in ledger.lost:
        assert len(arrived.intersection(keys)) in (0, len(keys)), keys


def letters_match(story: Story, letters: Iterable[str]) -> None:
    """The dead letters are the messages that failed, each once."""
    failed = {message_id: 1 for message_id, states in story.states.items() if "FAILED" in states}
    assert Counter(letters) == failed


def every_attempt_is_reported(ledger: Ledger, receiver: Receiver, story: Story) -> None:
    """Each outcome that is in the log was reported under one id of its own, however often that report was carried."""
    reports: dict[str, set[str]] = defaultdict(set)
    for message_id, report in receiver.reports:
        reports[report["sourceMessageId"]].add(message_id)
    for key, message_id in ledger.accepted.items():
        if kind_of(key) == "reported":
            outcomes = sum(state in ("ERROR", "DELIVERED") for state in story.states[message_id])
            assert len(reports[message_id]) == outcomes, (key, outcomes, reports[message_id])


def queues_keep_their_order(arrivals: Sequence[Arrival]) -> None:
    """A message comes only after all before it have come for the last time: each keeps its place through retries."""
    last: dict[str, int] = {}
    for arrival in arrivals:
        kind, lane, number = arrival.key.split(".")
        if kind == "queued":
            assert int(number) >= last.get(lane, 0), f"{arrival.key} came after {last[lane]}"
            last[lane] = int(number)
