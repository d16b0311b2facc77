"""What the plans of the hosted service cost, how much they let through a day, and how long they remember.

Facts of the vendor's own pages, with their source, and nothing that was guessed: where no source tells a number it is
None, and the limits that only an engine enforces stand with the engine. The enterprise plan is left out, since all of
it is custom; so is the Prod Pack ($200 a month on top of any paid plan), which changes no number here.

Sources: upstash.com/pricing/qstash.md and upstash.com/docs/qstash/overall/pricing.md (undated), api-evangelist/qstash
``plans/`` (f42ba41, 2026-08-22), the vendor's changelog of December 2024 for the retention of logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qsops.errors import SettingsError

__all__ = ["DAY_MS", "MONTH_DAYS", "PLANS", "READINGS", "Plan", "Reading", "plan_named", "retention_ms"]

DAY_MS: Final = 86_400_000
#: The days of a month, where a price a month is set against days.
MONTH_DAYS: Final = 30
_PER: Final = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. US dollars; GB of bandwidth; None is without limit, but of a retention that no source tells it.

    ``usd_per_100k`` is the price of 100,000 billed messages on top of ``usd_per_month``. A day of ``messages_per_day``
    ends at 00:00 UTC.
    """

    name: str
    title: str
    usd_per_month: float
    usd_per_100k: float
    messages_per_day: int | None
    bandwidth_gb: int
    usd_per_gb: float | None
    schedules: int
    usd_per_schedule: float | None
    log_retention_ms: int | None
    dlq_retention_ms: int

    def usd(self, messages: float, days: float) -> float:
        """What so many billed messages within so many days cost; a price a month is divided by :data:`MONTH_DAYS`."""
        return self.usd_per_month * days / MONTH_DAYS + self.usd_per_100k * messages / _PER


PLANS: Final = {
    plan.name: plan
    for plan in (
        Plan(
            "free",
            "Free",
            usd_per_month=0,
            usd_per_100k=0,
            messages_per_day=1_000,
            bandwidth_gb=50,
            usd_per_gb=None,
            schedules=10,
            usd_per_schedule=None,
            log_retention_ms=3 * DAY_MS,
            dlq_retention_ms=3 * DAY_MS,
        ),
        Plan(
            "payg",
            "Pay as you go",
            usd_per_month=0,
            usd_per_100k=1,
            messages_per_day=None,
            bandwidth_gb=50,
            usd_per_gb=0.05,
            schedules=1_000,
            usd_per_schedule=0.01,
            # "Up to 14 days."
            log_retention_ms=14 * DAY_MS,
            dlq_retention_ms=7 * DAY_MS,
        ),
        Plan(
            "fixed_1m",
            "Fixed 1M",
            usd_per_month=180,
            usd_per_100k=0,
            messages_per_day=1_000_000,
            bandwidth_gb=1_000,
            usd_per_gb=None,
            schedules=10_000,
            usd_per_schedule=None,
            log_retention_ms=None,
            dlq_retention_ms=30 * DAY_MS,
        ),
        Plan(
            "fixed_10m",
            "Fixed 10M",
            usd_per_month=420,
            usd_per_100k=0,
            messages_per_day=10_000_000,
            bandwidth_gb=5_000,
            usd_per_gb=None,
            schedules=50_000,
            usd_per_schedule=None,
            log_retention_ms=None,
            # "3 months", taken for the shortest three in a row.
            dlq_retention_ms=89 * DAY_MS,
        ),
    )
}

#: What the vendor's management API and development server call them.
_OTHER_NAMES: Final = {
    "paid": "payg",
    "pay_as_you_go": "payg",
    "pro": "fixed_1m",
    "qstash_fixed_1m": "fixed_1m",
    "qstash_fixed_10m": "fixed_10m",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a retry costs, as one of the vendor's pages says; the other says the opposite."""

    name: str
    source: str


#: "messages": retries are free. "attempts": each attempt is billed. The second is the newer text by its plans' names.
READINGS: Final = {
    "messages": Reading("messages", "upstash.com/pricing/qstash.md"),
    "attempts": Reading("attempts", "upstash.com/docs/qstash/overall/pricing.md, api-evangelist/qstash"),
}


def plan_named(name: str) -> Plan:
    """The plan ``name``, as we, the vendor's management API or its development server call it.

    :raises SettingsError: when there is none.
    """
    known = name.strip().lower().replace("-", "_").replace(" ", "_")
    try:
        return PLANS[_OTHER_NAMES.get(known, known)]
    except KeyError:
        raise SettingsError(f"plan: there is none named {name!r}; name one of {', '.join(PLANS)}") from None


def retention_ms(plan: Plan) -> int:
    """How long logs are certain to be kept: on a plan of which no source tells it as long as on pay as you go."""
    told = plan.log_retention_ms or PLANS["payg"].log_retention_ms
    assert told is not None
    return told
