"""The arithmetic of retry expressions: floating point that never raises, with infinities and NaN as in IEEE 754."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["FUNCTIONS", "NEGATE", "OPERATORS", "Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of ``arity`` floats."""

    name: str
    arity: int
    apply: Callable[..., float]


def _divide(x: float, y: float) -> float:
    if y != 0:
        return x / y
    return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)


def _power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        if x != 0:
            return math.nan
        return math.copysign(math.inf, x) if y % 2 == 1 else math.inf


def _exponential(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _root(x: float) -> float:
    return math.nan if x < 0 else math.sqrt(x)


def _whole(rounded: Callable[[float], int]) -> Callable[[float], float]:
    # An int has no negative zero, and a division by it would end on the other side.
    return lambda x: math.copysign(rounded(x), x) if math.isfinite(x) else x


def _half_away_from_zero(x: float) -> int:
    """As Go and JavaScript's users expect ``round``; Python's own rounds halves to even."""
    whole = math.trunc(x)
    return whole + int(math.copysign(1, x)) if abs(x - whole) >= 0.5 else whole


def _least(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else min(x, y)


def _greatest(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else max(x, y)


NEGATE: Final = Operation("-", 1, lambda x: -x)

OPERATORS: Final = {
    operation.name: operation
    for operation in (
        Operation("+", 2, lambda x, y: x + y),
        Operation("-", 2, lambda x, y: x - y),
        Operation("*", 2, lambda x, y: x * y),
        Operation("/", 2, _divide),
    )
}

FUNCTIONS: Final = {
    operation.name: operation
    for operation in (
        Operation("pow", 2, _power),
        Operation("exp", 1, _exponential),
        Operation("sqrt", 1, _root),
        Operation("abs", 1, abs),
        Operation("floor", 1, _whole(math.floor)),
        Operation("ceil", 1, _whole(math.ceil)),
        Operation("round", 1, _whole(_half_away_from_zero)),
        Operation("min", 2, _least),
        Operation("max", 2, _greatest),
    )
}
