"""When the next attempt is made: the default curve, the publisher's expression, and what the destination asks for."""

from __future__ import annotations

from qsops.retry.asked import requested_delay_ms
from qsops.retry.curve import MAX_DELAY_MS, default_delay_ms
from qsops.retry.expression import MAX_DEPTH, MAX_LENGTH, Expression, compile_expression
from qsops.retry.schedule import horizon_s, next_delay_ms

__all__ = [
    "MAX_DELAY_MS",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "Expression",
    "compile_expression",
    "default_delay_ms",
    "horizon_s",
    "next_delay_ms",
    "requested_delay_ms",
]
