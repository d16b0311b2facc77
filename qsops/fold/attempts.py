"""Attempts: what stands between a start and its end.

A start opens an attempt, and the end that follows closes it. An end that follows no start is an attempt as well, whose
start was not seen; a start that another start follows is one whose end was never written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qsops.fold.kinds import Array, Kind
from qsops.fold.steps import Steps, nullable

__all__ = ["Attempts", "facts", "label"]

_ENDS = (Kind.ERROR, Kind.DELIVERED)
_CANCELS = (Kind.CANCEL_REQUESTED, Kind.CANCELED)
_OUTCOMES = pa.array(["delivered", "error", "failed", "canceled", "in flight"], pa.large_string())
_DELIVERED, _ERROR, _FAILED, _CANCELED, _IN_FLIGHT, _UNKNOWN = 0, 1, 2, 3, 4, -1


@dataclass(frozen=True)
class Attempts:
    """Attempts in order: the message of each, and the positions of its start and end among the steps (-1: unseen)."""

    steps: Steps
    message: Array
    start: Array
    end: Array

    @classmethod
    def of(cls, steps: Steps) -> Attempts:
        """Find the attempts of ``steps``."""
        beats = _beats(steps)
        starts = steps.kind[beats] == Kind.ACTIVE
        follows_start = np.zeros(len(beats), dtype=bool)
        follows_start[1:] = starts[:-1] & (steps.message[beats[1:]] == steps.message[beats[:-1]])
        opens = np.flatnonzero(starts | ~follows_start)
        has_next = np.zeros(len(beats), dtype=bool)
        has_next[:-1] = follows_start[1:] & ~starts[1:]
        closed = np.where(has_next[opens], beats[np.minimum(opens + 1, len(beats) - 1)], -1)
        return cls(
            steps,
            steps.message[beats[opens]],
            np.where(starts[opens], beats[opens], -1),
            np.where(starts[opens], closed, beats[opens]),
        )

    def counts(self) -> Array:
        """How many attempts each message has."""
        return np.bincount(self.message, minlength=len(self.steps.ids))

    def table(self) -> pa.Table:
        """The columns of :data:`qsops.frames.ATTEMPTS`, and ``response_body`` if the log has it."""
        steps, told = self.steps, facts(self.steps)
        whole = steps.first(steps.where(Kind.CREATED)) >= 0
        started, ended = steps.times(self.start), steps.times(self.end)
        columns = {
            "message_id": steps.ids.take(pa.array(self.message)),
            "attempt": nullable(self._numbers(), ~whole[self.message]),
            **{name: told[name].take(pa.array(self.message)) for name in ("url", "label", "queue")},
            "started_at": started,
            "ended_at": ended,
            "duration_ms": _milliseconds(pc.subtract(ended, started)),
            "outcome": self._outcomes(),
            "response_status": steps.values("response_status", self.end),
            "error": steps.values("error", self.end),
            "wait_ms": _milliseconds(pc.subtract(started, steps.times(self._ends_before()))),
        }
        if "response_body" in steps.table.column_names:
            columns["response_body"] = steps.values("response_body", self.end)
        return pa.table(columns)

    def _numbers(self) -> Array:
        return np.arange(len(self.message)) - np.searchsorted(self.message, self.message) + 1

    def _ends_before(self) -> Array:
        before = np.full(len(self.message), -1, dtype=np.int64)
        before[1:] = np.where(self.message[1:] == self.message[:-1], self.end[:-1], -1)
        return before

    def _outcomes(self) -> pa.Array:
        steps = self.steps
        last = np.ones(len(self.message), dtype=bool)
        last[:-1] = self.message[1:] != self.message[:-1]
        kind = np.where(self.end >= 0, steps.kind[self.end], -1) if len(steps.kind) else self.end
        failed = (steps.first(steps.where(Kind.FAILED)) >= 0)[self.message]
        canceled = (steps.first(steps.where(*_CANCELS)) >= 0)[self.message]
        cases = {
            _DELIVERED: kind == Kind.DELIVERED,
            _FAILED: (kind == Kind.FAILED) | (last & failed & (kind == Kind.ERROR)),
            _ERROR: kind == Kind.ERROR,
            _CANCELED: last & canceled,
            _IN_FLIGHT: last,
        }
        outcome = np.select(list(cases.values()), list(cases), _UNKNOWN)
        return _OUTCOMES.take(nullable(outcome, outcome == _UNKNOWN))


def _beats(steps: Steps) -> Array:
    """The starts and ends of attempts; FAILED is one where the attempt before it left no ERROR of its own."""
    beats = steps.where(Kind.ACTIVE, *_ENDS, Kind.FAILED)
    kind, message = steps.kind[beats], steps.message[beats]
    stands_for_end = np.zeros(len(beats), dtype=bool)
    stands_for_end[1:] = (kind[:-1] == Kind.ACTIVE) & (message[1:] == message[:-1])
    kept: Array = beats[(kind != Kind.FAILED) | stands_for_end]
    return kept


def facts(steps: Steps) -> dict[str, pa.Array]:
    """What each message is, from the first step that says so: url, label, queue, schedule_id."""
    names = ("url", "labels", "queue", "schedule_id")
    told = {name: steps.values(name, steps.first(steps.told(name))) for name in names}
    return {**told, "label": label(told["labels"])}


def label(labels: pa.Array) -> pa.Array:
    """The first of comma-separated labels, which are dictionary-encoded."""
    firsts = pc.list_element(pc.split_pattern(labels.dictionary, ",", max_splits=1), 0)
    return firsts.take(labels.indices)


def _milliseconds(microseconds: pa.Array) -> pa.Array:
    return pc.divide(microseconds, 1000)
