"""What a plan of the hosted service allows of one message, and the engine with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qsops.errors import SettingsError

__all__ = ["BATCH_LIMIT", "BODY_LIMIT", "MESSAGE_LIMIT", "PLANS", "Plan", "plan_named"]

_MINUTE_S: Final = 60
_HOUR_S: Final = 60 * _MINUTE_S
_DAY_S: Final = 24 * _HOUR_S
_MEBIBYTE: Final = 1024 * 1024

#: The largest body of one message, and of one batch request; beyond them the answer is 413, unread.
MESSAGE_LIMIT: Final = 10 * _MEBIBYTE
BATCH_LIMIT: Final = 100 * _MEBIBYTE
#: The largest body of any other request: lists of ids and filters.
BODY_LIMIT: Final = _MEBIBYTE


@dataclass(frozen=True, slots=True)
class Plan:
    """Limits of one plan (reference, section 11)."""

    name: str
    message_bytes: int
    delay_s: int
    response_s: int
    retries: int


#: How many retries a plan allows is told differently by two sources: 5 was seen on the free plan and the vendor's
#: development server, 999 is what their management API prints.
PLANS: Final = {
    plan.name: plan
    for plan in (
        Plan("free", message_bytes=_MEBIBYTE, delay_s=7 * _DAY_S, response_s=15 * _MINUTE_S, retries=5),
        Plan("payg", message_bytes=MESSAGE_LIMIT, delay_s=365 * _DAY_S, response_s=2 * _HOUR_S, retries=999),
        Plan("pro", message_bytes=MESSAGE_LIMIT, delay_s=3650 * _DAY_S, response_s=2 * _HOUR_S, retries=999),
    )
}


def plan_named(name: str) -> Plan:
    """The plan ``name``.

    :raises SettingsError: when there is none.
    """
    try:
        return PLANS[name]
    except KeyError:
        raise SettingsError(f"quota: there is no plan {name!r}; name one of {', '.join(PLANS)}") from None
