"""The policy that delivers as much at the least load, out of a bounded space of policies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from qsops.errors import SettingsError
from qsops.whatif.columns import Array
from qsops.whatif.intervals import interval
from qsops.whatif.notes import of_past, of_timeouts
from qsops.whatif.policy import Policy
from qsops.whatif.simulation import Histories

__all__ = ["COLUMNS", "DELAYS", "POLICIES_LIMIT", "RETRIES", "Suggestion", "space", "suggest"]

RETRIES: Final = (1, 2, 3, 5, 8)
#: The default curve; the same wait again and again; and waits that double or triple, up to a bound.
DELAYS: Final = (
    None,
    "15000",
    "60000",
    "300000",
    "900000",
    "min(3600000, 5000 * pow(2, retried))",
    "min(3600000, 15000 * pow(2, retried))",
    "min(3600000, 60000 * pow(2, retried))",
    "min(7200000, 10000 * pow(3, retried))",
    "min(7200000, 60000 * pow(3, retried))",
)
POLICIES_LIMIT: Final = 500
DRAWS: Final = 100
#: In so many of ten draws a policy has to deliver as much.
_SURELY: Final = 0.9
COLUMNS: Final = [
    *("retries", "retry_delay", "delivered_pct", "delivered_low", "as_much_pct", "time_p95_s"),
    *("attempts", "peak_per_minute", "pareto", "suggested"),
]


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """``policy`` is the one suggested, None where none of those tried delivers as much.

    ``frame``: a row per policy, by load. ``delivered_pct`` is the mean over draws, ``delivered_low`` the lower end of
    its 90 % interval, ``as_much_pct`` the share of draws in which it delivers at least ``at_least_pct``. Means are also
    ``time_p95_s``, ``attempts`` and ``peak_per_minute``. ``pareto``: no other policy is at least as good in share,
    attempts and peak (in whole numbers, as for the suggestion), and better in one. ``notes`` say in sentences what
    could not be replayed, and where there is nothing to choose by.
    """

    policy: Policy | None
    at_least_pct: float
    frame: pd.DataFrame
    notes: tuple[str, ...]


def space(like: Policy, *, most_retries: int | None = None) -> list[Policy]:
    """The policies that are tried: each of :data:`RETRIES` with each of :data:`DELAYS`, in all else like ``like``."""
    allowed = [count for count in RETRIES if most_retries is None or count <= most_retries]
    if not allowed:
        raise SettingsError(f"most_retries: {most_retries} leaves nothing to try; it is at least {min(RETRIES)}")
    return [replace(like, retries=count, retry_delay=delay) for count in allowed for delay in DELAYS]


def suggest(
    attempts: Any,
    messages: Any,
    *,
    like: Policy | None = None,
    published: Policy | None = None,
    policies: Sequence[Policy] | None = None,
    most_retries: int | None = None,
    within_s: float | None = None,
    delivered_pct: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Suggestion:
    """The policy with the lowest peak after an outage among those that deliver at least as much as was delivered.

    Peaks that are the same in whole numbers are told apart by attempts, then by the share, then by the p95 time to
    deliver. So it is off the front only where what beats it delivers as much less surely, or is too late. Tried are
    ``policies``, else those of :func:`space`: with the timeout, flow control and Retry-After of ``like``, with at most
    ``most_retries``. ``delivered_pct`` asks for another share than the recorded one, ``within_s`` for a p95 time to
    deliver. All are replayed over the same histories, so they differ by themselves and not by chance. ``published`` is
    as in :func:`qsops.whatif.result.whatif`.

    :raises SettingsError: there is nothing to replay, nothing to try, or too much.
    """
    tried = [*policies] if policies is not None else space(like or Policy(), most_retries=most_retries)
    if not 1 <= len(tried) <= POLICIES_LIMIT:
        raise SettingsError(f"policies: {len(tried)} are not from 1 to {POLICIES_LIMIT}")
    if delivered_pct is not None and not 0 <= delivered_pct <= 100:
        raise SettingsError(f"delivered_pct: {delivered_pct:g} is not from 0 to 100")
    histories = Histories.of(attempts, messages, published=published, draws=draws, seed=seed)
    wanted = float(histories.as_recorded()["delivered_pct"][0]) if delivered_pct is None else delivered_pct
    seen = {timeout_s: histories.cut_off(timeout_s) for timeout_s in {policy.timeout_s for policy in tried}}
    rows = [_row(policy, seen[policy.timeout_s].under(policy), wanted) for policy in tried]
    frame = pd.DataFrame(rows).assign(
        pareto=_pareto,
        peak=lambda found: found["peak_per_minute"].round(),
        lost=lambda found: -found["delivered_pct"],
    )
    order = ["peak", "attempts", "lost", "time_p95_s", "tried"]
    frame = frame.assign(tried=range(len(rows))).sort_values(order, ignore_index=True)
    good = frame["as_much_pct"] >= 100 * _SURELY
    if within_s is not None:
        good &= frame["time_p95_s"] <= within_s
    best = int(good.to_numpy().argmax()) if good.any() else None
    frame["suggested"] = frame.index == best if best is not None else False
    chosen = None if best is None else tried[int(frame["tried"].iloc[best])]
    return Suggestion(chosen, round(wanted, 3), frame[COLUMNS], tuple(_notes(histories, tried, wanted)))


def _notes(histories: Histories, tried: Sequence[Policy], wanted: float) -> Iterable[str]:
    yield from of_past(histories.past)
    for timeout_s in dict.fromkeys(policy.timeout_s for policy in tried):
        yield from of_timeouts(histories.past, timeout_s)
    if wanted == 0:
        yield "no message was delivered: every policy delivers as much; name the share that is wanted"


def _row(policy: Policy, found: dict[str, Array], wanted: float) -> dict[str, Any]:
    delivered = found["delivered_pct"]
    return {
        "retries": policy.retries,
        "retry_delay": policy.retry_delay,
        "delivered_pct": round(float(delivered.mean()), 3),
        "delivered_low": round(interval(delivered)[0], 3),
        "as_much_pct": round(100 * float((delivered >= wanted - 1e-9).mean()), 1),
        "time_p95_s": round(float(np.nanmean(found["time_p95_s"])), 1) if _any(found["time_p95_s"]) else np.nan,
        "attempts": round(float(found["attempts"].mean()), 1),
        # Without an outage nothing recovers, and there is no load to speak of.
        "peak_per_minute": round(float(np.nanmean(found["peak_per_minute"])), 1)
        if _any(found["peak_per_minute"])
        else 0.0,
    }


def _any(values: Array) -> bool:
    return bool((~np.isnan(values)).any())


def _pareto(frame: pd.DataFrame) -> Array:
    """Which rows no other row beats."""
    costs: Array = np.stack([-frame["delivered_pct"], frame["attempts"], frame["peak_per_minute"].round()], axis=1)
    as_good = np.all(costs[None] <= costs[:, None], axis=2)
    better = np.any(costs[None] < costs[:, None], axis=2)
    found: Array = ~np.any(as_good & better, axis=1)
    return found
