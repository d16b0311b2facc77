"""How often an account may ask, and how much it may send; what is over that is answered 429 (reference, section 1.1).

Off unless asked for: who works on a laptop is in nobody's way. With them on, a client is tried against both answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import Final

from qsops.engine.core.quota import day_ends_s, day_of, spend, spent
from qsops.engine.engine import Engine
from qsops.errors import Rejected
from qsops.models import Headers, Receipt
from qsops.wire import texts
from qsops.wire.failures import BurstLimit, burst_headers, daily_headers

__all__ = ["Burst", "TooMany", "charge", "is_counted"]

#: What publishes has no limit per second.
_NOT_COUNTED: Final = re.compile(r"/v2/(publish|enqueue|batch|trigger|notify|wait)(/.*)?")


class TooMany(Rejected):
    """429, with the headers by which a client tells the two kinds apart."""

    def __init__(self, text: str, headers: Headers) -> None:
        super().__init__(429, text)
        self.headers = headers


def is_counted(method: str, path: str) -> bool:
    """Whether a request counts against the limit per second: all do but those that send messages."""
    return not (method == "POST" and _NOT_COUNTED.fullmatch(path))


@dataclass(slots=True)
class Burst:
    """Requests of each account in the second that runs, by the engine's clock; a ``limit`` of None counts nothing.

    They are not kept over a restart, which takes longer than they last.
    """

    limit: int | None
    _second: int = 0
    _counts: dict[int, int] = field(default_factory=dict)

    def spend(self, account: int, now_ms: int) -> Headers:
        """Count one request; returns the headers that tell what is left.

        :raises TooMany: when nothing was left.
        """
        if self.limit is None:
            return ()
        second = now_ms // 1000
        if second != self._second:
            self._second, self._counts = second, {}
        count = self._counts.get(account, 0) + 1
        headers = burst_headers(BurstLimit(self.limit, max(0, self.limit - count), second + 1))
        if count > self.limit:
            raise TooMany(texts.quota_exceeded("maxRequestsPerSecond", self.limit), headers)
        self._counts[account] = count
        return headers


def charge(connection: Connection, engine: Engine, account: int, receipts: Sequence[Receipt]) -> None:
    """Count what a request has sent against the day's messages; a repeat that was sent before is free.

    It is the last step of the operation that accepts them: raising undoes the whole of it.

    :raises TooMany: when the day's messages do not suffice for all of them.
    """
    limit, now_ms = engine.daily_limit, engine.clock.now_ms()
    if limit is None:
        return
    count = sum(not receipt.deduplicated for receipt in receipts)
    if not spend(connection, account, day_of(now_ms), count, limit):
        remaining = max(0, limit - spent(connection, account, day_of(now_ms)))
        headers = daily_headers(limit, remaining, day_ends_s(now_ms))
        raise TooMany(texts.quota_exceeded("maxMessagesPerDay", limit), headers)
