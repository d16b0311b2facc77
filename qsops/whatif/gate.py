"""A replay under flow control, where messages hold each other up: all draws in step, one attempt of each at a time."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

import numpy as np

from qsops.errors import SettingsError
from qsops.whatif.columns import Array
from qsops.whatif.policy import Policy
from qsops.whatif.record import Kind
from qsops.whatif.replay import Destination, Outcome, Replayed, attempt, suspects

__all__ = ["GATED_LIMIT", "Gate", "replay_gated"]

#: Messages of a destination times draws: each is taken by itself here.
GATED_LIMIT: Final = 4_000_000
#: An attempt that begins this near to the recorded one is that one.
_SAME_MS: Final = 1_000


class Gate:
    """One flow-control key, as the engine has it: first come, first served; a call begins a window of the rate."""

    __slots__ = ("_begun_ms", "_count", "_ends", "_last_ms", "_parallelism", "_period_ms", "_rate")

    def __init__(self, policy: Policy) -> None:
        self._rate, self._period_ms = policy.rate, policy.period_s * 1_000
        self._parallelism = policy.parallelism
        self._begun_ms, self._count, self._last_ms = -np.inf, 0, -np.inf
        self._ends: list[float] = []

    def pass_at(self, at_ms: float) -> float:
        """When whoever comes at ``at_ms``, behind all who came before, may be called."""
        if self._parallelism is not None and len(self._ends) >= self._parallelism:
            at_ms = max(at_ms, heappop(self._ends))
        at_ms = max(at_ms, self._last_ms)
        if self._rate is not None:
            end_ms = self._begun_ms + self._period_ms
            if at_ms < end_ms and self._count >= self._rate:
                at_ms = end_ms
            if at_ms >= end_ms:
                self._begun_ms, self._count = at_ms, 0
            self._count += 1
        self._last_ms = at_ms
        return at_ms

    def ends_at(self, at_ms: float) -> None:
        """The call that was let pass last is over at ``at_ms``."""
        if self._parallelism is not None:
            heappush(self._ends, at_ms)


def replay_gated(here: Destination, policy: Policy, draws: int, generator: np.random.Generator) -> Replayed:
    """``policy`` with a rate or a parallelism over the record of a destination, ``draws`` times.

    :raises SettingsError: there are too many messages for so many draws.
    """
    record = here.record
    messages = np.flatnonzero(record.counted)
    if len(messages) * draws > GATED_LIMIT:
        raise SettingsError(
            f"rate, parallelism: {len(messages)} messages of {record.url} in {draws} draws are over the "
            f"{GATED_LIMIT} that flow control is replayed for; narrow the range, or take fewer draws"
        )
    began = record.started_ms[record.first[messages]].astype(float)
    order = np.argsort(began, kind="stable")
    messages = messages[order]
    run = _Run(here, policy, messages, draws, generator)
    run.to_the_end([*zip(began[order].tolist(), range(len(order)), strict=True)])
    nothing = np.zeros(0)
    return Replayed(
        len(messages),
        *(nothing, nothing, nothing.astype(bool)),
        draw=np.concatenate([*run.draw, nothing.astype(np.int64)]),
        at_ms=np.concatenate([*run.at_ms, nothing]),
        took_ms=run.took_ms,
        retried=run.made > 1,
        weight=1.0,
    )


class _Run:
    """The state of all draws: attempts made by each message, and whether they are those of the record until now."""

    def __init__(
        self, here: Destination, policy: Policy, messages: Array, draws: int, generator: np.random.Generator
    ) -> None:
        self._here, self._policy, self._messages, self._generator = here, policy, messages, generator
        self._suspect = suspects(here)[messages]
        self._first = here.record.first[messages]
        self._count = here.record.first[messages + 1] - self._first
        self._created_ms = here.record.created_ms[messages]
        self._waits_ms = np.r_[np.array(policy.waits_ms, dtype=float), 0.0]
        self._gates = [Gate(policy) for _ in range(draws)]
        self._as_recorded = np.ones((draws, len(messages)), dtype=bool)
        self.made = np.zeros((draws, len(messages)), dtype=np.int16)
        self.took_ms = np.full((draws, len(messages)), np.nan)
        self.draw: list[Array] = []
        self.at_ms: list[Array] = []

    def to_the_end(self, arrivals: list[tuple[float, int]]) -> None:
        """From the first arrivals, sorted, until nobody waits in any draw."""
        # A sorted list is a heap already.
        waiting = [[*arrivals] for _ in self._gates]
        while active := [draw for draw, heap in enumerate(waiting) if heap]:
            came = [heappop(waiting[draw]) for draw in active]
            at = [self._gates[draw].pass_at(at_ms) for draw, (at_ms, _) in zip(active, came, strict=True)]
            draw, at_ms = np.array(active), np.array(at)
            nth = np.array([message for _, message in came])
            ended_ms, goes_on, next_ms = self._attempt(draw, nth, at_ms)
            for one, message, end, again, then in zip(
                *(active, nth.tolist(), ended_ms.tolist(), goes_on.tolist(), next_ms.tolist()), strict=True
            ):
                self._gates[one].ends_at(end)
                if again:
                    heappush(waiting[one], (then, message))

    def _attempt(self, draw: Array, nth: Array, at_ms: Array) -> tuple[Array, Array, Array]:
        """One attempt in each draw: when it ends, whether another follows, and when."""
        self.draw.append(draw)
        self.at_ms.append(at_ms)
        outcome, final = self._outcome(draw, nth, at_ms)
        ended_ms = at_ms + outcome.took_ms
        made = self.made[draw, nth]
        self.made[draw, nth] += 1
        good = outcome.good
        self.took_ms[draw[good], nth[good]] = ended_ms[good] - self._created_ms[nth[good]]
        goes_on = ~good & ~final & (made < self._policy.retries)
        asked = ~np.isnan(outcome.asked_ms) & self._policy.honour_retry_after
        wait_ms = np.where(asked, outcome.asked_ms, self._waits_ms[np.minimum(made, self._policy.retries)])
        return ended_ms, goes_on, ended_ms + wait_ms

    def _outcome(self, draw: Array, nth: Array, at_ms: Array) -> tuple[Outcome, Array]:
        """As it was recorded where it is the same attempt, else as it may be; and whether no other may follow."""
        record, made = self._here.record, self.made[draw, nth]
        at = np.minimum(self._first[nth] + made, len(record.started_ms) - 1)
        known = self._as_recorded[draw, nth] & (made < self._count[nth])
        known &= np.abs(record.started_ms[at] - at_ms) <= _SAME_MS
        self._as_recorded[draw, nth] = known
        drawn = attempt(self._here, draw, self._suspect[nth], at_ms, self._policy, self._generator)
        most_ms = np.inf if self._policy.timeout_s is None else 1_000 * self._policy.timeout_s
        cut = record.duration_ms[at] > most_ms
        told = known & ~cut & (record.waits[at] | ~record.answered[at])
        return (
            Outcome(
                np.where(known, (record.kind[at] == Kind.OK) & ~cut, drawn.good),
                np.where(known, np.minimum(record.duration_ms[at], most_ms), drawn.took_ms),
                np.where(told, record.asked_ms[at], np.where(known & cut, np.nan, drawn.asked_ms)),
            ),
            known & ~cut & (record.kind[at] == Kind.FINAL),
        )
