"""How far the record itself answers: a policy's attempts, as long as they are the ones that were made.

The first attempt of a message is the same under every policy, and so is each that follows after the wait that was
recorded. These are not drawn: they happened. Where the policies part, the message is open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qsops.whatif.columns import Array
from qsops.whatif.policy import Policy
from qsops.whatif.record import Kind, Record, same

__all__ = ["Prefix", "prefix_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """``started_ms`` are the attempts that are known, of counted messages alone.

    ``took_ms`` is the time to deliver of messages that are known to be delivered, and ``retried`` whether it took more
    than one attempt. ``open`` are messages of which the record does not tell how they end: after ``made`` attempts,
    the last of which ended at ``ended_ms``, each goes on ``wait_ms`` later, or when that answer asked for it. Of those
    that are ``unsure`` it cannot tell that either, since nothing followed the answer.
    """

    started_ms: Array
    took_ms: Array
    retried: Array
    open: Array
    made: Array
    ended_ms: Array
    wait_ms: Array
    unsure: Array


def prefix_of(record: Record, policy: Policy) -> Prefix:
    """What of ``record`` holds under ``policy``."""
    alive = np.flatnonzero(record.counted)
    lasts = np.diff(record.first)
    most_ms = np.inf if policy.timeout_s is None else policy.timeout_s * 1_000
    starts, took, retried, opened = [], [], [], []
    number = 0
    while len(alive):
        at = record.first[alive] + number
        started = record.started_ms[at]
        starts.append(started)
        duration = np.minimum(record.duration_ms[at], most_ms)
        cut = record.duration_ms[at] > most_ms
        ended = started + duration
        good = (record.kind[at] == Kind.OK) & ~cut
        took.append(ended[good] - record.created_ms[alive[good]])
        retried.append(np.full(int(good.sum()), number > 0))
        over = ~good & ((number >= policy.retries) | ((record.kind[at] == Kind.FINAL) & ~cut))
        goes_on = ~good & ~over
        alive, at, ended, cut = alive[goes_on], at[goes_on], ended[goes_on], cut[goes_on]
        wait_ms = _waits(record, policy, at, cut, number) if len(alive) else ended
        number += 1
        follows = lasts[alive] > number
        recorded = record.started_ms[np.minimum(at + 1, len(record.started_ms) - 1)]
        known = follows & ~cut & same(recorded - ended, wait_ms)
        unsure = ~record.waits[at] & record.answered[at] & ~cut & (record.kind[at] == Kind.DOWN)
        part = (alive, np.full(len(alive), number), ended, wait_ms, unsure & policy.honour_retry_after)
        opened.append([one[~known] for one in part])
        alive = alive[known]
    return Prefix(*(np.concatenate(one) for one in (starts, took, retried, *zip(*opened, strict=True))))


def _waits(record: Record, policy: Policy, at: Array, cut: Array, number: int) -> Array:
    planned = np.full(len(at), float(policy.waits_ms[number]))
    if not policy.honour_retry_after:
        return planned
    asked = record.asked_ms[at]
    # An answer that came too late was not read.
    return np.where(np.isnan(asked) | cut, planned, asked)
