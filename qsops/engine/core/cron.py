"""A cron with its time zone: when it falls due next.

The grammar is what cron implementations agree on, so that what is taken here runs elsewhere, too: five fields of
numbers or English names, ``*``, lists, ranges and steps. If both day fields are limited, either may hold (a field that
begins with ``*`` counts as not limited).

Where the clock is changed, the rule is *once, and never lost*. A time of day that is skipped happens when the clock is
changed; one that comes twice happens the first time. An hour field that holds every hour names no time of day: such a
cron falls due whenever the clock shows its minutes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

__all__ = ["MAX_LENGTH", "Cron", "compile_cron"]

MAX_LENGTH: Final = 500
# A few hundred schedules are in use at a time, each asked again at every trigger.
_KEPT: Final = 1024
_ZONE_PREFIX: Final = "CRON_TZ="
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: From here on nothing falls due: the calendar of the standard library ends with the year 9999.
_END_MS: Final = 253_000_000_000_000
_MINUTE: Final = timedelta(minutes=1)
#: No clock is set back by more.
_LONGEST_REPETITION: Final = timedelta(hours=3)
_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class _Field(NamedTuple):
    """What one of the five may hold; ``names`` stand for the numbers from ``low`` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """Where ``*`` ends: a week has seven days, though Sunday has two numbers."""
        return 6 if self.high == _SUNDAY else self.high


_SUNDAY: Final = 7
_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    _Field("day of week", 0, _SUNDAY, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
)
_HOUR: Final = _FIELDS[1]
_TERM: Final = re.compile(r"(?:(?P<star>\*)|(?P<low>\w{1,9})(?:-(?P<high>\w{1,9}))?)(?:/(?P<step>[0-9]{1,4}))?", re.A)


@dataclass(frozen=True, slots=True)
class Cron:
    """A compiled cron; made by :func:`compile_cron`. ``text`` is as it was given, without the spaces around it."""

    text: str
    zone: ZoneInfo = field(compare=False)
    _fields: str = field(repr=False, compare=False)
    _every_hour: bool = field(repr=False, compare=False)

    def next_ms(self, after_ms: int) -> int | None:
        """When it falls due first after ``after_ms``, both in unix milliseconds; None if not within fifty years."""
        if after_ms >= _END_MS:
            return None
        after = _EPOCH + timedelta(milliseconds=max(after_ms, -1))
        found = [self._first(after), self._repeated(after) if self._every_hour else None]
        at = min((moment for moment in found if moment is not None), default=None)
        return None if at is None else (at - _EPOCH) // timedelta(milliseconds=1)

    def _first(self, after: datetime) -> datetime | None:
        """The first moment at which the clock shows a time of this cron for the first time, or jumps over one."""
        for wall in CronSim(self._fields, self._wall(after)):
            at = self._moment(wall)
            if at is not None and at > after:
                return at
        return None

    def _repeated(self, after: datetime) -> datetime | None:
        """The first moment at which the clock shows a time of this cron once more."""
        earliest, latest = after - _LONGEST_REPETITION, after + _LONGEST_REPETITION
        if self._offset(earliest) <= self._offset(latest):
            return None
        last, found = self._wall(after) + _LONGEST_REPETITION, []
        for wall in CronSim(self._fields, self._wall(earliest)):
            if wall > last:
                break
            at = wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
            if at > after and self._wall(at) == wall:
                found.append(at)
        return min(found, default=None)

    def _moment(self, wall: datetime) -> datetime | None:
        """When the clock first shows ``wall``; if it never does, when it jumps over it, or None for every hour."""
        at = wall.replace(tzinfo=self.zone).astimezone(UTC)
        if self._wall(at) == wall:
            return at
        if self._every_hour:
            return None
        while self._wall(at) != wall:
            wall += _MINUTE
            at = wall.replace(tzinfo=self.zone).astimezone(UTC)
        return at

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()


@lru_cache(_KEPT)
def compile_cron(text: str) -> Cron:
    """The cron ``text``: minute, hour, day of month, month, day of week, e.g. ``*/5 9-17 * * MON-FRI``, in UTC.

    ``CRON_TZ=Europe/Berlin`` and a space before them set another zone. At most ``MAX_LENGTH`` characters.

    :raises ValueError: naming the fault and where it stands, not the text; for a day that no month has, too.
    """
    told = text.strip()
    if len(told) > MAX_LENGTH:
        raise ValueError(f"a cron has at most {MAX_LENGTH} characters, this has {len(told)}")
    try:
        zone, fields = _zone_and_fields(told)
        wanted = " ".join(_spelled(part, one) for part, one in zip(fields, _FIELDS, strict=True))
        every_hour = set(_values(fields[1], _HOUR)) == set(range(24))
        cron = Cron(told, zone, wanted, every_hour)
        CronSim(wanted, datetime(2000, 1, 1))
    except CronSimError:
        # Each field has been looked at, so it is the day: the one check that needs several fields.
        raise ValueError("no month it names has such a day, so it would never fall due") from None
    return cron


def _zone_and_fields(text: str) -> tuple[ZoneInfo, list[str]]:
    parts = text.split()
    zone = parts.pop(0).removeprefix(_ZONE_PREFIX) if text.startswith(_ZONE_PREFIX) else "UTC"
    if zone not in _zones():
        raise ValueError(f"there is no time zone {zone!r}; name one as in CRON_TZ=Europe/Berlin")
    if parts and parts[0].startswith("@"):
        same = _DESCRIPTORS.get(parts[0].lower())
        raise ValueError(f"write {same!r} instead of {parts[0]!r}" if same else f"{parts[0]!r} is no cron")
    if len(parts) != len(_FIELDS):
        names = ", ".join(one.name for one in _FIELDS)
        raise ValueError(f"it has {len(parts)} fields, and needs {len(_FIELDS)}: {names}")
    return ZoneInfo(zone), parts


@lru_cache(1)
def _zones() -> frozenset[str]:
    # What the machine calls its own zone means another one elsewhere.
    return frozenset(available_timezones() - {"localtime"})


def _spelled(text: str, of: _Field) -> str:
    """The field as the library is to read it: ranges written out, since it takes ``5-5/10`` for ``5-59/10``."""
    written = [(term, ",".join(map(str, _range(term, of)))) for term in _terms(text, of)]
    return ",".join(term if term.startswith("*") else numbers for term, numbers in written)


def _values(text: str, of: _Field) -> list[int]:
    return [value for term in _terms(text, of) for value in _range(term, of)]


def _terms(text: str, of: _Field) -> list[str]:
    terms = text.split(",")
    for term in terms:
        if not _TERM.fullmatch(term):
            raise ValueError(f"{of.name}: {term!r} is none of *, a number, a range such as 1-5, a step such as */5")
    return terms


def _range(term: str, of: _Field) -> range:
    match = _TERM.fullmatch(term)
    assert match is not None, "the terms have been looked at"
    low = of.low if match["star"] else _number(match["low"], of)
    step = int(match["step"] or 1)
    if step == 0:
        raise ValueError(f"{of.name}: {term!r} has a step of 0")
    if match["high"]:
        high = _number(match["high"], of)
    elif match["star"] or match["step"]:
        # "5/15" is read as "5-59/15", as those implementations do that take it.
        high = max(low, of.last)
    else:
        high = low
    if high < low:
        raise ValueError(f"{of.name}: {term!r} ends before it begins")
    return range(low, high + 1, step)


def _number(text: str, of: _Field) -> int:
    if text.upper() in of.names:
        return of.low + of.names.index(text.upper())
    if not text.isdecimal() or not of.low <= int(text) <= of.high:
        names = f" or {of.names[0]} to {of.names[-1]}" if of.names else ""
        raise ValueError(f"{of.name}: {text!r} is not from {of.low} to {of.high}{names}")
    return int(text)
