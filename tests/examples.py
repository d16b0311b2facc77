"""How much Hypothesis tries: enough here to find what is plainly wrong, and far more in ``make soak``."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["EXAMPLES", "IS_SOAK", "TIMES", "some"]

#: How many times as much is tried as in ``make test``.
TIMES: Final = int(os.environ.get("QSOPS_TESTS_TIMES", "1"))
#: There the same examples each time, so that a change is judged by what it changed; the soak goes on to others.
IS_SOAK: Final = TIMES > 1
#: Of a property that says nothing else.
EXAMPLES: Final = 40 * TIMES


def some(count: int) -> int:
    """``count`` examples here, and as many times more in the soak as everywhere."""
    return count * TIMES
