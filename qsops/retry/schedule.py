"""Which of three has the say over the next attempt, and how long an outage a policy survives."""

from __future__ import annotations

from qsops.models import Headers
from qsops.retry.asked import requested_delay_ms
from qsops.retry.curve import default_delay_ms
from qsops.retry.expression import Expression

__all__ = ["horizon_s", "next_delay_ms"]


def next_delay_ms(expression: Expression | None, retried: int, headers: Headers, now_ms: int) -> int:
    """The wait after a failed attempt, ``retried`` retries having been made before (0 after the first attempt).

    What the destination's answer asks for wins over the publisher's expression, and that over the default curve. The
    vendor does not document the order of the first two.
    """
    asked = requested_delay_ms(headers, now_ms)
    return _planned_ms(expression, retried) if asked is None else asked


def horizon_s(retries: int, expression: Expression | None = None) -> float:
    """The outage in seconds that a message with ``retries`` retries survives: all its waits together.

    With the default curve 3 retries survive 33 minutes, 5 almost 31 hours.
    """
    return sum(_planned_ms(expression, retried) for retried in range(retries)) / 1000


def _planned_ms(expression: Expression | None, retried: int) -> int:
    return default_delay_ms(retried + 1) if expression is None else expression.delay_ms(retried)
