"""What a policy would have come to, beside what really happened: small frames, and what to know when reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from qsops.plans import DAY_MS, READINGS, Plan, plan_named
from qsops.whatif.columns import Array
from qsops.whatif.intervals import interval
from qsops.whatif.measures import QUANTITIES, measured
from qsops.whatif.notes import of_parts, of_past, of_timeouts
from qsops.whatif.outages import outage_frame
from qsops.whatif.policy import Policy
from qsops.whatif.replay import Replayed
from qsops.whatif.simulation import DRAWS, Histories

__all__ = ["SUMMARY", "Result", "compared", "whatif"]

SUMMARY: Final = ["quantity", "recorded", "low", "median", "high"]
_OF_DESTINATIONS: Final = ("delivered_pct", "time_p95_s", "attempts", "peak_per_minute")
_DIGITS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """``summary``: a row per quantity: ``recorded``, and what the policy comes to: median and 90 % interval.

    The quantities are those of :data:`qsops.whatif.measures.QUANTITIES`, then ``billed_…`` and ``usd_…`` under both
    readings of what a retry costs (:data:`qsops.plans.READINGS`). ``destinations`` has four of them by destination.
    ``outages``: what is believed of each outage, with 90 % intervals of its beginning and its end. ``notes`` say what
    could not be replayed, in sentences.
    """

    policy: Policy
    draws: int
    seed: int
    messages: int
    plan: str
    summary: pd.DataFrame
    destinations: pd.DataFrame
    outages: pd.DataFrame
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.policy}: {self.messages} messages, {self.draws} draws, seed {self.seed}"


def whatif(
    attempts: Any,
    messages: Any,
    policy: Policy,
    *,
    published: Policy | None = None,
    plan: str = "payg",
    draws: int = DRAWS,
    seed: int = 0,
) -> Result:
    """What ``policy`` would have made of the recorded past; of frames, or Ibis tables, of attempts and messages.

    ``published`` is the policy that the messages were published with, by which waits are told that a destination asked
    for (:func:`qsops.whatif.published.published_policy` reads it from a log). ``plan`` is whose prices hold. The same
    ``seed`` gives the same result.

    :raises SettingsError: there is nothing to replay, no such plan, or a value is out of its range.
    """
    prices = plan_named(plan)
    histories = Histories.of(attempts, messages, published=published, draws=draws, seed=seed)
    return compared(histories, policy, prices)


def compared(histories: Histories, policy: Policy, plan: Plan) -> Result:
    """What ``policy`` comes to over ``histories``, beside the record."""
    past, seen = histories.past, histories.cut_off(policy.timeout_s)
    was, would = histories.recorded(), seen.replayed(policy)
    days = (past.to_ms - past.from_ms) / DAY_MS
    summary = _rows(
        _with_bill(histories.as_recorded(), histories, plan, days),
        _with_bill(measured(would, seen.recoveries, seen.draws), histories, plan, days),
    )
    return Result(
        policy,
        histories.draws,
        histories.seed,
        past.messages,
        plan.name,
        summary,
        _destinations(histories, seen, was, would),
        outage_frame(histories),
        (*of_past(past), *of_timeouts(past, policy.timeout_s), *of_parts(past, would)),
    )


def _rows(was: Mapping[str, Array], would: Mapping[str, Array]) -> pd.DataFrame:
    rows = [(name, interval(was[name])[1], *interval(values)) for name, values in would.items()]
    return pd.DataFrame(rows, columns=SUMMARY).round(_DIGITS)


def _with_bill(found: dict[str, Array], histories: Histories, plan: Plan, days: float) -> dict[str, Array]:
    """With what is billed, in messages and US dollars; a month's price is taken for the part that the record lasts."""
    counts = {"messages": np.full(histories.draws, float(histories.past.messages)), "attempts": found["attempts"]}
    bill = {f"billed_{reading}": counts[reading] for reading in READINGS}
    usd = {f"usd_{reading}": np.array([plan.usd(one, days) for one in counts[reading]]) for reading in READINGS}
    return {**{name: found[name] for name in QUANTITIES}, **bill, **usd}


def _destinations(
    histories: Histories, seen: Histories, was: Sequence[Replayed], would: Sequence[Replayed]
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for number, record in enumerate(histories.past.records):
        if not record.counted.any():
            continue
        before = measured(was[number : number + 1], histories.recoveries[number : number + 1], histories.draws)
        after = measured(would[number : number + 1], seen.recoveries[number : number + 1], histories.draws)
        row: dict[str, Any] = {"url": record.url, "messages": int(record.counted.sum())}
        for name in _OF_DESTINATIONS:
            low, median, high = interval(after[name])
            row |= {f"{name}_recorded": interval(before[name])[1]}
            row |= {f"{name}_low": low, name: median, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows).round(_DIGITS).sort_values("url", ignore_index=True)
