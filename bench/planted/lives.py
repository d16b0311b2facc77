"""The messages of a plan, attempt by attempt: what truly happened, before anything is written of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.planted.plan import CAUSES, Outage, Plan
from qsops.retry import default_delay_ms

__all__ = ["DELIVERED", "Lives", "live"]

Array = npt.NDArray[Any]

#: The cause of an attempt that had none.
DELIVERED: Final = -1
_TRANSIENT: Final = (3, 4)
_INVALID: Final = 5
_JITTER: Final = 0.5
#: How soon a message that was delivered is attempted again for nothing.
_AGAIN_MS: Final = 40


@dataclass(frozen=True)
class Lives:
    """Arrays by message, and by attempt in the order of their numbers; times are unix milliseconds.

    ``cause`` is of :data:`~bench.planted.plan.CAUSES`, -1 where the attempt was answered with success.
    """

    created_ms: Array
    destination: Array
    doubled: Array
    message: Array
    number: Array
    started_ms: Array
    ended_ms: Array
    cause: Array

    @property
    def attempts(self) -> Array:
        """How many attempts each message had."""
        return np.bincount(self.message, minlength=len(self.created_ms))

    @property
    def delivered(self) -> Array:
        """Whether each message was delivered."""
        found = np.zeros(len(self.created_ms), dtype=bool)
        found[self.message[self.cause == DELIVERED]] = True
        return found


def live(plan: Plan) -> Lives:
    """Live the lives of ``plan``: the same ones for the same plan."""
    rng = np.random.default_rng([plan.seed, 1])
    created_ms = np.sort(plan.from_ms + rng.integers(0, plan.span_ms, plan.messages))
    destination = rng.choice(len(plan.weights), plan.messages, p=plan.weights).astype(np.int16)
    invalid = rng.random(plan.messages) < plan.invalid
    tried = _tried(plan, rng, created_ms, destination, invalid)
    message, number, started_ms, ended_ms, cause = (np.concatenate(parts) for parts in zip(*tried, strict=True))
    successes = np.flatnonzero(cause == DELIVERED)
    again = successes[rng.random(len(successes)) < plan.doubled]
    more_ms = ended_ms[again] + _AGAIN_MS
    doubled = np.zeros(plan.messages, dtype=bool)
    doubled[message[again]] = True
    return Lives(
        created_ms,
        destination,
        doubled,
        np.concatenate([message, message[again]]),
        np.concatenate([number, number[again] + 1]),
        np.concatenate([started_ms, more_ms]),
        np.concatenate([ended_ms, more_ms + (ended_ms - started_ms)[again]]),
        np.concatenate([cause, cause[again]]),
    )


def _tried(
    plan: Plan, rng: np.random.Generator, created_ms: Array, destination: Array, invalid: Array
) -> list[tuple[Array, ...]]:
    """The first attempts of all, the second ones of those that failed, and so on."""
    latency_ms, transient = np.array(plan.latency_ms), np.array(plan.transient)
    message, at_ms = np.arange(plan.messages), created_ms + 1
    found = []
    for number in range(plan.retries + 1):
        to = destination[message]
        cause = np.where(rng.random(len(message)) < transient[to], rng.choice(_TRANSIENT, len(message)), DELIVERED)
        for outage in plan.outages:
            cause[_hit(rng, outage, to, at_ms)] = outage.cause
        cause[invalid[message]] = _INVALID
        takes_ms = latency_ms[to] * np.exp(rng.normal(0, _JITTER, len(message)))
        longest_ms = np.array([one.takes_ms for one in CAUSES])[cause]
        ended_ms = at_ms + np.where((cause >= 0) & (longest_ms > 0), longest_ms, takes_ms).astype(np.int64) + 1
        found.append((message, np.full(len(message), number + 1, dtype=np.int8), at_ms, ended_ms, cause))
        failed = cause != DELIVERED
        message, at_ms = message[failed], ended_ms[failed] + default_delay_ms(number + 1)
    return found


def _hit(rng: np.random.Generator, outage: Outage, destination: Array, at_ms: Array) -> Array:
    within = (destination == outage.destination) & (at_ms >= outage.from_ms) & (at_ms < outage.to_ms)
    return within & (rng.random(len(at_ms)) < outage.depth)
