"""One destination's messages, run through its drawn histories under a policy, round by round and all draws at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from qsops.whatif.answers import Answers
from qsops.whatif.columns import Array
from qsops.whatif.health import Health
from qsops.whatif.policy import Policy
from qsops.whatif.prefix import prefix_of
from qsops.whatif.record import Record

__all__ = ["OPEN_LIMIT", "Destination", "Ends", "Outcome", "Replayed", "attempt", "replay", "suspects"]

#: Open messages of a destination times draws; of more an even part of the messages is drawn, and counts for all.
OPEN_LIMIT: Final = 2_000_000
#: That is for policies of so many retries; of more as much less is drawn, since every attempt is held.
_RETRIES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Destination:
    """What is known of a destination, and what is possible."""

    record: Record
    health: Health
    answers: Answers


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """One destination under one policy.

    What is alike in all draws: ``known_ms``, when attempts began; ``known_took_ms``, the time to deliver, and
    ``known_retried``, whether that took a retry. What differs: attempts as pairs of ``draw`` and ``at_ms``; per draw
    and open message ``took_ms``, NaN where it failed for good, and ``retried`` (or per message, where it is alike in
    all). An open message counts ``weight`` times.
    """

    messages: int
    known_ms: Array
    known_took_ms: Array
    known_retried: Array
    draw: Array
    at_ms: Array
    took_ms: Array
    retried: Array
    weight: float

    def retried_in(self, draw: int) -> Array:
        """Which of the open messages took a retry, in one draw."""
        found: Array = self.retried[draw] if self.retried.ndim > 1 else self.retried
        return found


class Outcome(NamedTuple):
    """Attempts as they end: delivered or not, how long they took, and the wait that was asked for (NaN: none)."""

    good: Array
    took_ms: Array
    asked_ms: Array


class Ends(NamedTuple):
    """Messages beyond their known attempts, as :class:`qsops.whatif.prefix.Prefix` has them, in the order of creation.

    ``suspect`` is their place among the suspects of the destination's health, -1 for none.
    """

    message: Array
    suspect: Array
    made: Array
    ended_ms: Array
    wait_ms: Array
    unsure: Array


def replay(here: Destination, policy: Policy, draws: int, generator: np.random.Generator) -> Replayed:
    """``policy`` over the record of a destination, ``draws`` times."""
    record = here.record
    prefix = prefix_of(record, policy)
    limit = OPEN_LIMIT * _RETRIES // max(_RETRIES, policy.retries)
    part = slice(None, None, -(-len(prefix.open) * draws // limit) or None)
    order = np.argsort(record.created_ms[prefix.open], kind="stable")[part]
    message = prefix.open[order]
    parts = (prefix.made, prefix.ended_ms, prefix.wait_ms, prefix.unsure)
    ends = Ends(message, suspects(here)[message], *(part[order] for part in parts))
    draw, at_ms, took_ms = _rounds(here, ends, policy, draws, generator)
    return Replayed(
        int(record.counted.sum()),
        prefix.started_ms,
        prefix.took_ms,
        prefix.retried,
        draw,
        at_ms,
        took_ms,
        np.ones(len(ends.message), dtype=bool),
        len(prefix.open) / max(1, len(order)),
    )


def suspects(here: Destination) -> Array:
    """Per message its place among the suspects of the destination's health, -1 for none."""
    found = np.full(len(here.record.delivered), -1, dtype=np.int64)
    found[here.health.suspects] = np.arange(len(here.health.suspects))
    return found


def _rounds(
    here: Destination, ends: Ends, policy: Policy, draws: int, generator: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Attempts as draws and times, and per draw and message the time to deliver."""
    count = len(ends.message)
    took = np.full((draws, count), np.nan)
    draw, nth = (one.ravel() for one in np.indices((draws, count)))
    made, at_ms = ends.made[nth], next_ms(here, ends, draw, nth, generator)
    created = here.record.created_ms[ends.message]
    waits = np.r_[np.array(policy.waits_ms, dtype=float), 0.0]
    draws_made, times_made = [np.zeros(0, dtype=np.int16)], [np.zeros(0)]
    while len(draw):
        draws_made.append(draw.astype(np.int16))
        times_made.append(at_ms)
        outcome = attempt(here, draw, ends.suspect[nth], at_ms, policy, generator)
        ended = at_ms + outcome.took_ms
        took[draw[outcome.good], nth[outcome.good]] = ended[outcome.good] - created[nth[outcome.good]]
        goes_on = ~outcome.good & (made < policy.retries)
        planned = waits[np.minimum(made, policy.retries)]
        asked = ~np.isnan(outcome.asked_ms) & policy.honour_retry_after
        at_ms = (ended + np.where(asked, outcome.asked_ms, planned))[goes_on]
        draw, nth, made = draw[goes_on], nth[goes_on], made[goes_on] + 1
    return np.concatenate(draws_made), np.concatenate(times_made), took


def next_ms(here: Destination, ends: Ends, draw: Array, nth: Array, generator: np.random.Generator) -> Array:
    """When each open message goes on in each draw."""
    wait_ms = ends.wait_ms[nth]
    asked = here.answers.asked(draw, ends.ended_ms[nth], generator.random(len(draw)))
    found: Array = ends.ended_ms[nth] + np.where(ends.unsure[nth] & ~np.isnan(asked), asked, wait_ms)
    return found


def attempt(
    here: Destination, draw: Array, suspect: Array, at_ms: Array, policy: Policy, generator: np.random.Generator
) -> Outcome:
    """Attempts that nobody made, each in its draw and at its time; ``suspect`` is -1 for a message that is none."""
    failing, near, fails = here.health.failing(draw, at_ms), generator.random(len(draw)), generator.random(len(draw))
    faulty = np.zeros(len(draw), dtype=bool)
    if here.health.faulty.shape[1]:
        faulty = (suspect >= 0) & here.health.faulty[draw, np.maximum(suspect, 0)]
    bad = faulty | (fails < failing)
    failed = here.answers.failures(draw, at_ms, near)
    took = np.where(bad, failed.duration_ms, here.answers.successes(draw, at_ms, near))
    hung = bad & failed.hung & ~faulty
    if policy.timeout_s is not None:
        most_ms = policy.timeout_s * 1_000
        # What hung would have hung longer, had it been let.
        cut = hung | (took > most_ms)
        took, bad = np.where(cut, most_ms, took), bad | cut
        hung |= cut
    asked = np.where(bad & ~hung & ~faulty, failed.asked_ms, np.nan)
    return Outcome(~bad, took, asked)
