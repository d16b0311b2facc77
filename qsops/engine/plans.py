"""What a plan of the hosted service allows, and the engine with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qsops.errors import SettingsError
from qsops.wire.durations import LONGEST_S

__all__ = [
    "BATCH_LIMIT",
    "BODY_LIMIT",
    "FAN_OUT_BYTES",
    "FAN_OUT_LIMIT",
    "MESSAGE_LIMIT",
    "PLANS",
    "REQUESTS_PER_S",
    "Plan",
    "plan_named",
]

_MINUTE_S: Final = 60
_HOUR_S: Final = 60 * _MINUTE_S
_DAY_S: Final = 24 * _HOUR_S
_DAY_MS: Final = 1_000 * _DAY_S
_MEBIBYTE: Final = 1024 * 1024

#: The largest body of one message under any plan, and of one batch request; beyond them the answer is 413, unread.
MESSAGE_LIMIT: Final = 50 * _MEBIBYTE
BATCH_LIMIT: Final = 100 * _MEBIBYTE
#: The largest body of any other request: lists of ids and filters.
BODY_LIMIT: Final = _MEBIBYTE
#: How many messages one request may make by way of URL groups, and their bytes together: they are one commit.
FAN_OUT_LIMIT: Final = 20_000
FAN_OUT_BYTES: Final = 1024 * _MEBIBYTE
#: How many requests a second an account may make where they are counted; told of the free plan, and of no other.
REQUESTS_PER_S: Final = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """Limits of one plan (reference, section 11); None is without limit.

    ``endpoints`` are those of one URL group, ``queue_parallelism`` is of one queue, ``global_parallelism`` of the whole
    account. ``delay_s`` and ``response_s`` are the longest that a message may ask for.
    """

    name: str
    queues: int | None
    queue_parallelism: int | None
    global_parallelism: int
    schedules: int | None
    url_groups: int | None
    endpoints: int | None
    message_bytes: int
    delay_s: int
    response_s: int
    retries: int
    dlq_retention_ms: int | None
    log_retention_ms: int | None
    messages_per_day: int | None


_FREE: Final = Plan(
    "free",
    queues=10,
    queue_parallelism=2,
    global_parallelism=10,
    schedules=10,
    url_groups=1,
    endpoints=100,
    message_bytes=_MEBIBYTE,
    delay_s=7 * _DAY_S,
    response_s=15 * _MINUTE_S,
    # Two sources differ on what a plan allows: 5 was seen on this one and on the vendor's development server, 999 is
    # what their management API prints.
    retries=5,
    dlq_retention_ms=3 * _DAY_MS,
    log_retention_ms=3 * _DAY_MS,
    messages_per_day=1_000,
)

_PAYG: Final = Plan(
    "payg",
    queues=100,
    # One number is told for the parallelism of this plan and the next, so it holds for a queue and for all together.
    queue_parallelism=100,
    global_parallelism=100,
    # Past 1,000 they are billed, not refused.
    schedules=None,
    url_groups=100,
    endpoints=100,
    message_bytes=10 * _MEBIBYTE,
    delay_s=365 * _DAY_S,
    response_s=2 * _HOUR_S,
    retries=999,
    dlq_retention_ms=7 * _DAY_MS,
    log_retention_ms=14 * _DAY_MS,
    messages_per_day=None,
)

#: "Fixed 1M", the smallest of the fixed plans. What no source tells of it, or calls custom, is as in the plan below it.
_PRO: Final = Plan(
    "pro",
    queues=100,
    queue_parallelism=200,
    global_parallelism=200,
    schedules=10_000,
    url_groups=1_000,
    endpoints=100,
    message_bytes=MESSAGE_LIMIT,
    # Without limit, but that a duration has one.
    delay_s=LONGEST_S,
    response_s=2 * _HOUR_S,
    retries=999,
    dlq_retention_ms=30 * _DAY_MS,
    log_retention_ms=14 * _DAY_MS,
    messages_per_day=1_000_000,
)

PLANS: Final = {plan.name: plan for plan in (_FREE, _PAYG, _PRO)}


def plan_named(name: str) -> Plan:
    """The plan ``name``.

    :raises SettingsError: when there is none.
    """
    try:
        return PLANS[name]
    except KeyError:
        raise SettingsError(f"quota: there is no plan {name!r}; name one of {', '.join(PLANS)}") from None
