"""The delays of a message that was published without a wish of its own."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["MAX_DELAY_MS", "default_delay_ms"]

#: No wait between two attempts is longer than a day.
MAX_DELAY_MS: Final = 86_400_000


def default_delay_ms(retry: int) -> int:
    """The wait before retry number ``retry``, from 1: 12 s, 2m28s, 30m8s, 6h7m6s, then a day each.

    That is e^(2.5 n) in whole seconds, at most a day (the vendor's page on retries; an older snippet of it says 2 n).

    :raises ValueError: if ``retry`` is less than 1.
    """
    if retry < 1:
        raise ValueError(f"retries are counted from 1, not {retry}")
    day_s = MAX_DELAY_MS // 1000
    # Asked first, since e^(2.5 n) overflows a float from n = 284 on.
    return 1000 * (day_s if 2.5 * retry >= math.log(day_s) else math.floor(math.exp(2.5 * retry)))
