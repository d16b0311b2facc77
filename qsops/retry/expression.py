"""The expression of ``Upstash-Retry-Delay``: what it gives for each retry, as a number of milliseconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from qsops.retry.curve import MAX_DELAY_MS, default_delay_ms
from qsops.retry.parser import MAX_DEPTH, MAX_LENGTH, RETRIED, Step, parse

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Expression", "compile_expression"]

# A handful of policies is in use at a time, each asked again at every failure.
_KEPT: Final = 1024


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; made by :func:`compile_expression`."""

    text: str
    _program: tuple[Step, ...] = field(repr=False, compare=False)

    def value(self, retried: int) -> float:
        """What the expression gives in floating-point arithmetic, infinities and NaN included."""
        stack: list[float] = []
        for step in self._program:
            if isinstance(step, float):
                stack.append(step)
            elif step == RETRIED:
                stack.append(float(retried))
            else:
                arguments = stack[-step.arity :]
                del stack[-step.arity :]
                stack.append(step.apply(*arguments))
        return stack.pop()

    def delay_ms(self, retried: int) -> int:
        """The wait in milliseconds after ``retried`` retries (0 before the first), from 0 to a day.

        A division by zero or an overflow gives a day. Where the result is no number (``0/0``), the default curve
        decides: neither a flood nor a day of silence is what the publisher meant.
        """
        value = self.value(retried)
        if math.isnan(value):
            return default_delay_ms(retried + 1)
        return int(min(max(value, 0.0), MAX_DELAY_MS))


@lru_cache(_KEPT)
def compile_expression(text: str) -> Expression:
    """The expression ``text``: numbers, ``retried``, ``+ - * /``, parentheses, and the functions of the vendor's page.

    Those are pow(x,y) exp(x) sqrt(x) abs(x) floor(x) ceil(x) round(x) min(x,y) max(x,y). At most ``MAX_LENGTH``
    characters and ``MAX_DEPTH`` levels deep.

    :raises ValueError: naming the fault and where it stands.
    """
    return Expression(text, parse(text))
