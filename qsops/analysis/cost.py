"""What the messages cost, by plan and under both readings of what a retry costs, and what a month will."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import ibis
import pandas as pd

from qsops.analysis import source
from qsops.analysis.billing import Billed, billed, billed_table, unix_ms
from qsops.analysis.forecast import forecast
from qsops.plans import MONTH_DAYS, PLANS, READINGS, Plan, plan_named

if TYPE_CHECKING:
    from qsops.analysis.source import Rows

__all__ = ["cost", "cost_shares"]

_SHARED: Final = ("messages", "attempts", "retries_pct", "share_pct", "usd_by_messages", "usd_by_attempts")


def cost(
    messages: Rows,
    attempts: Rows,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    plan: str | None = None,
) -> pd.DataFrame:
    """The bill of each plan, or of ``plan`` alone, under each reading of what a retry costs; the cheapest plans first.

    The vendor's pages disagree (:data:`qsops.plans.READINGS`), hence two rows a plan: by ``messages`` retries are free,
    by ``attempts`` each attempt is billed. Callbacks are messages of their own, with attempts of their own, and are
    counted like all others.

    Columns ``plan, reading, days, billed, usd, busiest_day, days_over_quota, month_billed, month_usd, month_low_usd,
    month_high_usd``. ``usd`` is what the range cost, a price a month divided by 30 days. ``days_over_quota`` counts the
    UTC days on which more was sent than the plan lets through, so that it would have refused messages; null where it
    never does. ``month_…`` is the forecast for the 30 days that follow (:mod:`qsops.analysis.forecast`), from the whole
    days of the range, with the ends of a 90 % interval; null where there is no whole day, the interval also where there
    are fewer than three. ``since`` and ``until`` say for which range the rows were read; without them it is from the
    first to the last. Where the first day of it is empty, the forecast takes the whole days after the first row
    alone: QStash may have forgotten what was before.

    Limits: bandwidth and schedules beyond those of the plan are not in it, since the log holds neither; a day over the
    quota is priced as if it had been let through.

    :raises SettingsError: there is no such plan.
    """
    plans = PLANS.values() if plan is None else [plan_named(plan)]
    counts = billed(messages, attempts, since, until)
    rows = [_bill(one, reading, counts[reading]) for one in plans for reading in READINGS]
    return pd.DataFrame(rows).astype(_NULLABLE)


_NULLABLE: Final = {
    **dict.fromkeys(("days_over_quota", "month_billed"), "Int64"),
    **dict.fromkeys(("month_usd", "month_low_usd", "month_high_usd"), "Float64"),
}


def _bill(plan: Plan, reading: str, counts: Billed) -> dict[str, Any]:
    coming = forecast(counts.whole, MONTH_DAYS)
    quota = plan.messages_per_day
    return {
        "plan": plan.name,
        "reading": reading,
        "days": round(counts.days, 2),
        "billed": counts.total,
        "usd": round(plan.usd(counts.total, counts.days), 2),
        "busiest_day": int(counts.counts.max()),
        "days_over_quota": None if quota is None else int((counts.counts > quota).sum()),
        "month_billed": None if coming.expected is None else round(coming.expected),
        "month_usd": _month_usd(plan, coming.expected),
        "month_low_usd": _month_usd(plan, coming.low),
        "month_high_usd": _month_usd(plan, coming.high),
    }


def _month_usd(plan: Plan, messages: float | None) -> float | None:
    return None if messages is None else round(plan.usd(messages, MONTH_DAYS), 2)


def cost_shares(
    messages: Rows,
    attempts: Rows,
    by: str = "url",
    *,
    plan: str = "payg",
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Who causes the bill of ``plan``: a row for each value of ``by``, the one with the most attempts first.

    Columns ``by``'s own, then ``messages, attempts, retries_pct, share_pct, usd_by_messages, usd_by_attempts``:
    ``retries_pct`` is how many attempts there were beyond one a message, ``share_pct`` the share of all attempts. Of a
    plan with a price a month each has the share that it has in what was billed. Otherwise as :func:`cost`.

    :raises SettingsError: there is no such plan.
    :raises ValueError: the rows have no column ``by``.
    """
    chosen = plan_named(plan)
    whole = billed(messages, attempts, since, until)
    found = _counted(messages, attempts, by, since, until)
    for reading in READINGS:
        total = max(1, whole[reading].total)
        usd = chosen.usd(whole[reading].total, whole[reading].days)
        found[f"usd_by_{reading}"] = (usd * found[reading] / total).astype("Float64").round(4)
    more = found["attempts"] / found["messages"].where(found["messages"] > 0) - 1
    found["retries_pct"] = (100 * more).astype("Float64").round(1)
    found["share_pct"] = (100 * found["attempts"] / max(1, whole["attempts"].total)).astype("Float64").round(1)
    return found.sort_values(["attempts", by], ascending=[False, True], ignore_index=True)[[by, *_SHARED]]


def _counted(messages: Rows, attempts: Rows, by: str, since: datetime | None, until: datetime | None) -> pd.DataFrame:
    frames: list[pd.DataFrame] = []
    for reading in READINGS:
        rows = _within(billed_table(reading, messages, attempts), since, until)
        table, keys = source.grouped(rows, by, None, ("", "at_ms"), _SHARED)
        frames.append(source.frame_of(table.group_by(keys).agg(**{reading: ibis._.count()})).set_index(by))
    joined = pd.concat(frames, axis="columns").fillna(0)
    return joined.astype(dict.fromkeys(READINGS, "Int64")).rename_axis(by).reset_index()


def _within(table: Any, since: datetime | None, until: datetime | None) -> Any:
    if since is not None:
        table = table.filter(table.at_ms >= unix_ms(since))
    return table if until is None else table.filter(table.at_ms < unix_ms(until))
