"""The retention guard: what QStash forgets before the next sync, or before somebody is there to see to it; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final, Literal

from qsops.archive.spans import Span
from qsops.clock import utc

__all__ = ["Deadline", "Expiry", "deadlines", "forgotten", "log_expiries", "missing", "next_working_day_ms"]

#: When a working day begins, and which days are none (Monday is 0).
_DAY_BEGINS: Final = time(9)
_WEEKEND: Final = (5, 6)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment before which nothing may be forgotten, and what happens then."""

    name: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Expiry:
    """What is forgotten before a deadline unless it is pulled, or seen to, before ``first_ms``.

    ``from_ms`` and ``to_ms`` are its times of origin, both included; ``count`` is None where nobody has counted.
    """

    what: Literal["logs", "dead_letters"]
    from_ms: int
    to_ms: int
    first_ms: int
    before: str
    before_ms: int
    count: int | None = None


def deadlines(now_ms: int, every_ms: int, zone: tzinfo = UTC) -> tuple[Deadline, ...]:
    """The next sync, ``every_ms`` from now, and the next working day, the earlier first."""
    found = [
        Deadline("the next sync", now_ms + every_ms),
        Deadline("the next working day", next_working_day_ms(now_ms, zone)),
    ]
    return tuple(sorted(found, key=lambda one: one.at_ms))


def next_working_day_ms(now_ms: int, zone: tzinfo = UTC) -> int:
    """When the next of Monday to Friday begins, at nine o'clock in ``zone``; holidays are not known."""
    here = utc(now_ms).astimezone(zone)
    day = here.date()
    while True:
        begins = datetime.combine(day, _DAY_BEGINS, zone)
        if day.weekday() not in _WEEKEND and begins > here:
            return round(begins.timestamp() * 1000)
        day += timedelta(days=1)


def missing(covered: Sequence[Span], from_ms: int, to_ms: int) -> list[Span]:
    """The parts of a range that none of ``covered`` has, the oldest first."""
    found, at_ms = [], from_ms
    for first_ms, last_ms in sorted(covered):
        if first_ms > at_ms:
            found.append((at_ms, min(first_ms - 1, to_ms)))
        at_ms = max(at_ms, last_ms + 1)
        if at_ms > to_ms:
            break
    if at_ms <= to_ms:
        found.append((at_ms, to_ms))
    return [(first_ms, last_ms) for first_ms, last_ms in found if first_ms <= last_ms]


def forgotten(covered: Sequence[Span], now_ms: int, retention_ms: int, since_ms: int | None = None) -> list[Span]:
    """The gaps between what was pulled and what can still be pulled: nobody can close them any more.

    An archive begins with the first thing that it holds (or at ``since_ms``): what was before that is no gap.
    """
    if not covered:
        return []
    from_ms = max(min(first_ms for first_ms, _ in covered), since_ms or 0)
    return missing(covered, from_ms, now_ms - retention_ms - 1)


def log_expiries(
    covered: Sequence[Span], now_ms: int, retention_ms: int, until: Sequence[Deadline]
) -> tuple[Expiry, ...]:
    """Which entries that are not archived are forgotten before each of ``until``; those of an earlier one once."""
    found, oldest_ms = [], now_ms - retention_ms
    if covered:
        # What the archive was never asked to hold cannot be lost to it.
        oldest_ms = max(oldest_ms, min(first_ms for first_ms, _ in covered))
    for deadline in until:
        newest_ms = deadline.at_ms - retention_ms - 1
        for from_ms, to_ms in missing(covered, oldest_ms, newest_ms):
            first_ms = from_ms + retention_ms
            found.append(Expiry("logs", from_ms, to_ms, first_ms, deadline.name, deadline.at_ms))
        oldest_ms = max(oldest_ms, newest_ms + 1)
    return tuple(found)
