"""Incidents for validation: worlds and policies drawn by seed, what really came of them, and what was foretold.

Kept apart from what the model was tuned on. Tuning saw 80 worlds of another generator (two hours, 250 to 500 messages,
one to three troubles, waits of 30 s, 60 s, 5 min and doublings of 10, 15, 30 and 60 s) and none of these: the seeds
here begin at :data:`FIRST_SEED`, no policy here was tried there, and troubles here have other lengths, answers and
depths, deepen or lift half-way, and come with bursts of messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from qsops.clock import EPOCH_MS
from qsops.whatif import Histories, Policy
from qsops.whatif.intervals import interval
from qsops.whatif.recoveries import RECOVERY_MS
from tests.whatif.world import Run, Trouble, World, run

FIRST_SEED: Final = 5_200
_MINUTE_MS: Final = 60_000

#: What messages were published with, and what is asked about them.
PUBLISHED: Final = (
    Policy(4, "20000 * (1 + retried)", timeout_s=20),
    Policy(3, "45000", timeout_s=20),
    Policy(2, None, timeout_s=20),
    Policy(6, "min(240000, 5000 * pow(2, retried))", timeout_s=20),
)
ASKED: Final = (
    Policy(3, "90000 * pow(2, retried)", timeout_s=20),
    Policy(7, "25000", timeout_s=20),
    Policy(2, "200000", timeout_s=20),
    Policy(5, "8000 * pow(2.5, retried)", timeout_s=6),
    Policy(4, None, timeout_s=20),
    Policy(6, "40000 * (1 + retried)", timeout_s=20, honour_retry_after=False),
    Policy(5, "70000", timeout_s=20, rate=40, period_s=60),
)


def incident(seed: int, *, messages: tuple[int, int] = (350, 550), minutes: float = 75) -> World:
    """Some hour of messages, more than half of it in trouble."""
    generator = np.random.default_rng([11, seed])
    span_ms = int(minutes * _MINUTE_MS)
    count = int(generator.integers(*messages))
    return World(
        seed,
        _arrivals(generator, count, span_ms),
        tuple(_troubles(generator, span_ms)),
        frozenset(np.flatnonzero(generator.random(count) < generator.choice([0.0, 0.004, 0.02])).tolist()),
        int(generator.choice([500, 404])),
        float(generator.choice([0.0, 0.003, 0.015])),
        float(generator.uniform(80, 600)),
    )


def _arrivals(generator: np.random.Generator, count: int, span_ms: int) -> tuple[int, ...]:
    """Steady, with one burst in which a sixth of all come."""
    burst = int(count * generator.choice([0, 1 / 6]))
    begin = generator.uniform(0, 0.9 * span_ms)
    times = np.r_[generator.uniform(0, span_ms, count - burst), generator.uniform(begin, begin + 5 * _MINUTE_MS, burst)]
    return tuple(sorted({int(one) for one in times}))


def _troubles(generator: np.random.Generator, span_ms: int) -> Iterable[Trouble]:
    at_ms = generator.gamma(2.0, 0.06 * span_ms)
    for _ in range(int(generator.integers(1, 4))):
        length_ms = min(generator.gamma(2.0, 0.16 * span_ms), 0.97 * span_ms - at_ms)
        if length_ms < 2 * _MINUTE_MS:
            return
        depth = 1.0 if generator.random() < 0.4 else float(generator.uniform(0.35, 0.97))
        answer, asks_s = ((502, None), (0, None), (503, None), (503, int(generator.integers(15, 150))))[
            generator.integers(4)
        ]
        one = Trouble(
            int(at_ms), int(at_ms + length_ms), depth, answer, asks_s, float(generator.choice([1.0, 1.0, 4.0]))
        )
        if generator.random() < 0.3:
            middle_ms = int(at_ms + generator.uniform(0.3, 0.7) * length_ms)
            yield replace(one, to_ms=middle_ms)
            yield replace(one, from_ms=middle_ms, depth=float(generator.uniform(0.35, 1.0)))
        else:
            yield one
        at_ms += length_ms + generator.gamma(2.0, 0.06 * span_ms)


def really(world: World, policy: Policy) -> Run:
    """The engine over ``world`` under ``policy``; where waits are not honoured, the destination asks for none."""
    if not policy.honour_retry_after:
        world = replace(world, troubles=tuple(replace(one, asks_s=None) for one in world.troubles))
    return run(world, policy)


def truth(world: World, found: Run) -> dict[str, float]:
    """What a run came to, from its frames and from the hidden troubles: nothing here is the model's."""
    messages, attempts = found.messages, found.attempts
    delivered = messages[messages["state"] == "DELIVERED"]
    took_s = delivered["time_to_deliver_ms"].astype(float) / 1_000
    retried_s = took_s[delivered["attempts"] > 1]
    at_ms = (attempts["started_at"] - pd.Timestamp(EPOCH_MS, unit="ms", tz="UTC")) / pd.Timedelta("1ms")
    return {
        "delivered_pct": 100 * len(delivered) / len(messages),
        "time_p50_s": _at_least(took_s, 0.5),
        "time_p95_s": _at_least(took_s, 0.95),
        "time_p99_s": _at_least(took_s, 0.99),
        "recovered_p50_s": _at_least(retried_s, 0.5),
        "recovered_p95_s": _at_least(retried_s, 0.95),
        "attempts": float(len(attempts)),
        "peak_per_minute": _peak(world, at_ms.to_numpy(), 60_000),
        "peak_per_second": _peak(world, at_ms.to_numpy(), 1_000),
    }


def _at_least(values: pd.Series, share: float) -> float:
    return (
        float(np.quantile(values.to_numpy(dtype=float), share, method="inverted_cdf")) if len(values) else float("nan")
    )


def _peak(world: World, at_ms: np.ndarray, width_ms: int) -> float:
    """The most attempts within a step after a trouble that no other follows at once."""
    begins = [one.from_ms for one in world.troubles] + [1 << 60]
    peak = float("nan")
    for one, next_ms in zip(world.troubles, begins[1:], strict=True):
        if next_ms == one.to_ms:
            continue
        until_ms = min(one.to_ms + RECOVERY_MS, next_ms)
        mine = at_ms[(at_ms >= one.to_ms) & (at_ms < until_ms)]
        if len(mine):
            peak = float(np.fmax(peak, np.bincount(((mine - one.to_ms) // width_ms).astype(int)).max()))
    return peak


@dataclass(frozen=True)
class Score:
    """One quantity of one incident: what came, the interval that was foretold, and where among the draws it lies."""

    seed: int
    quantity: str
    true: float
    low: float
    high: float
    rank: float

    @property
    def covered(self) -> bool:
        return self.low - 1e-9 <= self.true <= self.high + 1e-9

    @property
    def known(self) -> bool:
        """Whether nothing was uncertain, and rightly so."""
        return self.high - self.low < 1e-9 and self.covered


def scores(seed: int, world: World, *, draws: int = 200) -> list[Score]:
    """Publish under one policy, foretell another, run it, and compare."""
    published, asked = PUBLISHED[seed % len(PUBLISHED)], ASKED[seed % len(ASKED)]
    was = run(world, published)
    told = Histories.of(was.attempts, was.messages, published=published, draws=draws, seed=seed).under(asked)
    return compared(seed, truth(world, really(world, asked)), told)


def compared(seed: int, came: Mapping[str, float], told: Mapping[str, np.ndarray]) -> list[Score]:
    """A score per quantity that there is in both."""
    found = []
    for name, true in came.items():
        values = told[name][~np.isnan(told[name])]
        if np.isnan(true) or len(values) < len(told[name]) / 2:
            continue
        low, _, high = interval(values)
        rank = float((values < true).mean() + (values == true).mean() / 2)
        found.append(Score(seed, name, true, low, high, rank))
    return found


def coverage(found: Iterable[Score]) -> pd.DataFrame:
    """By quantity: how many were foretold, how many of these with certainty, and the share that the interval held.

    ``below`` and ``above`` are the shares of truths outside of it. ``by_rank_pct`` counts a truth that equals draws as
    lying in their middle, so that ties hold nothing by themselves. All shares leave out what was certain.
    """
    frame = pd.DataFrame(
        [
            {
                "quantity": one.quantity,
                "known": one.known,
                "held": one.covered,
                "below": one.true < one.low - 1e-9,
                "above": one.true > one.high + 1e-9,
                "by_rank": 0.05 <= one.rank <= 0.95,
                "on_edge": one.true in (one.low, one.high),
                "rank": one.rank,
            }
            for one in found
        ]
    )
    open_ones = frame[~frame["known"]].groupby("quantity", sort=False)
    table = pd.DataFrame(
        {
            "incidents": frame.groupby("quantity", sort=False).size(),
            "certain": frame.groupby("quantity", sort=False)["known"].sum(),
            "held_pct": 100 * open_ones["held"].mean(),
            "by_rank_pct": 100 * open_ones["by_rank"].mean(),
            "below_pct": 100 * open_ones["below"].mean(),
            "above_pct": 100 * open_ones["above"].mean(),
            "on_edge_pct": 100 * open_ones["on_edge"].mean(),
            "mean_rank": open_ones["rank"].mean(),
        }
    )
    return table.round(dict.fromkeys(table.columns, 1) | {"mean_rank": 2}).reset_index(names="quantity")
