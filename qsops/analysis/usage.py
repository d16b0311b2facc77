"""Today's messages against the plan's quota."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from qsops.analysis.billing import billed, unix_ms
from qsops.clock import utc
from qsops.plans import DAY_MS, PLANS, READINGS, Plan, plan_named

if TYPE_CHECKING:
    from qsops.analysis.source import Rows

__all__ = ["day_began", "usage"]

#: Before so much of the day has passed, nothing is said of how it will end.
_LEAST_MS: Final = 3_600_000


def day_began(now: datetime) -> datetime:
    """When the day of the quota began: at 00:00 UTC."""
    return utc(unix_ms(now) - unix_ms(now) % DAY_MS)


def usage(messages: Rows, attempts: Rows, now: datetime, plan: str | None = None) -> pd.DataFrame:
    """How much of each plan's messages a day, or of those of ``plan`` alone, was used between 00:00 UTC and ``now``.

    Columns ``plan, reading, used, quota, used_pct, expected, expected_pct, resets_at``. Two rows a plan, since the
    vendor's pages disagree on whether an attempt or a message counts (:data:`qsops.plans.READINGS`); quota and shares
    are null where the plan has none. ``expected`` is what it will be at the end of the day if it goes on as until now,
    null within the first hour. Callbacks are messages of their own, and count.

    Limits: it counts what is in the log; what QStash has counted itself no route tells.

    :raises SettingsError: there is no such plan.
    """
    began = day_began(now)
    counts = billed(messages, attempts, since=began, until=now)
    passed_ms = unix_ms(now) - unix_ms(began)
    plans = PLANS.values() if plan is None else [plan_named(plan)]
    rows = [_row(one, reading, counts[reading].total, passed_ms) for one in plans for reading in READINGS]
    found = pd.DataFrame(rows).astype({"quota": "Int64", "expected": "Int64", **dict.fromkeys(_SHARES, "Float64")})
    found["resets_at"] = pd.Series(began + timedelta(milliseconds=DAY_MS), index=found.index).astype(
        "datetime64[us, UTC]"
    )
    return found


_SHARES = ("used_pct", "expected_pct")


def _row(plan: Plan, reading: str, used: int, passed_ms: int) -> dict[str, Any]:
    expected = None if passed_ms < _LEAST_MS else round(used * DAY_MS / passed_ms)
    quota = plan.messages_per_day
    return {
        "plan": plan.name,
        "reading": reading,
        "used": used,
        "quota": quota,
        "used_pct": None if quota is None else round(100 * used / quota, 1),
        "expected": expected,
        "expected_pct": None if quota is None or expected is None else round(100 * expected / quota, 1),
    }
