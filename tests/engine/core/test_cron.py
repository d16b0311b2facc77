import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsops.engine.core.cron import MAX_LENGTH, compile_cron
from tests.examples import some

MINUTE_MS = 60_000
DAY_MS = 86_400_000
#: A moment shortly before the clock is changed: forward and back, by an hour and by half of one, at midnight, and by
#: a whole day.
CHANGES = [
    ("UTC", "2026-03-29T00:00"),
    ("Europe/Berlin", "2026-03-29T00:00"),
    ("Europe/Berlin", "2026-10-25T00:00"),
    ("America/New_York", "2026-03-08T06:00"),
    ("America/New_York", "2026-11-01T05:00"),
    ("Australia/Lord_Howe", "2026-04-04T14:00"),
    ("Australia/Lord_Howe", "2026-10-03T14:00"),
    ("Africa/Cairo", "2026-04-23T21:00"),
    ("Africa/Cairo", "2026-10-29T20:00"),
    ("America/Havana", "2026-11-01T04:00"),
    ("Pacific/Apia", "2011-12-30T08:00"),
]


def ms(iso: str) -> int:
    """Unix milliseconds of a UTC time, or of one with an offset."""
    at = datetime.fromisoformat(iso)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None, fold=0)


def following(text: str, start: str, count: int) -> list[str]:
    """The next ``count`` times after ``start``, as the clock of the cron's zone shows them."""
    cron, at_ms, found = compile_cron(text), ms(start), []
    for _ in range(count):
        at_ms = cron.next_ms(at_ms)
        assert at_ms is not None
        found.append(datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(cron.zone).isoformat(timespec="minutes"))
    return found


@dataclass(frozen=True)
class Written:
    """A field as text, and what it means."""

    text: str
    values: frozenset[int]


def fields(low: int, high: int) -> st.SearchStrategy[Written]:
    def ranged(first: int, span: int, step: int) -> Written:
        last = min(first + span, high)
        return Written(f"{first}-{last}/{step}", frozenset(range(first, last + 1, step)))

    number = st.integers(low, high)
    star = st.just(Written("*", frozenset(range(low, high + 1))))
    stepped = st.integers(1, 40).map(lambda step: Written(f"*/{step}", frozenset(range(low, high + 1, step))))
    listed = st.sets(number, min_size=1, max_size=4).map(
        lambda values: Written(",".join(map(str, values)), frozenset(values))
    )
    return st.one_of(star, star, stepped, listed, st.builds(ranged, number, st.integers(0, high), st.integers(1, 7)))


@dataclass(frozen=True)
class Wanted:
    """A cron in its zone, and by whom its times are told: a walk over all minutes."""

    zone: str
    minute: Written
    hour: Written
    day: Written
    month: Written
    weekday: Written

    @property
    def text(self) -> str:
        parts = (self.minute, self.hour, self.day, self.month, self.weekday)
        return f"CRON_TZ={self.zone} " + " ".join(part.text for part in parts)

    def shows(self, wall: datetime) -> bool:
        by_day = wall.day in self.day.values
        by_weekday = wall.isoweekday() % 7 in self.weekday.values
        limited = not self.day.text.startswith("*") and not self.weekday.text.startswith("*")
        return (
            wall.minute in self.minute.values
            and wall.hour in self.hour.values
            and wall.month in self.month.values
            and (by_day or by_weekday if limited else by_day and by_weekday)
        )

    def walk(self, after_ms: int, until_ms: int) -> int | None:
        """The first minute after ``after_ms``, looking at each, with what the clock has shown before in mind."""
        zone, every_hour = ZoneInfo(self.zone), self.hour.values == frozenset(range(24))
        start_ms = after_ms - after_ms % MINUTE_MS - 4 * 60 * MINUTE_MS
        seen, before = set(), local(start_ms, zone)
        for at_ms in range(start_ms, until_ms, MINUTE_MS):
            wall = local(at_ms, zone)
            skipped = [before + timedelta(minutes=n) for n in range(1, (wall - before) // timedelta(minutes=1))]
            shown = self.shows(wall) if every_hour else wall not in seen and any(map(self.shows, [*skipped, wall]))
            seen.update([*skipped, wall])
            before = wall
            if shown and at_ms > after_ms:
                return at_ms
        return None


@st.composite
def wanted(draw: Callable) -> tuple[Wanted, int]:
    zone, change = draw(st.sampled_from(CHANGES))
    days = st.one_of(st.just(Written("*", frozenset(range(1, 32)))), fields(1, 31))
    months = st.one_of(st.just(Written("*", frozenset(range(1, 13)))), fields(1, 12))
    weekdays = st.one_of(st.just(Written("*", frozenset(range(7)))), fields(0, 6))
    cron = Wanted(zone, draw(fields(0, 59)), draw(fields(0, 23)), draw(days), draw(months), draw(weekdays))
    return cron, ms(change) + draw(st.integers(-60, 5 * 60)) * MINUTE_MS + draw(st.sampled_from([0, 1, 30_500]))


@given(wanted())
@settings(max_examples=some(150))
def test_it_agrees_with_a_walk_over_all_minutes(case: tuple[Wanted, int]):
    """Around every change of a clock the next time is the one that a look at each minute finds."""
    cron, after_ms = case
    until_ms = after_ms + DAY_MS
    expected = cron.walk(after_ms, until_ms)
    try:
        found = compile_cron(cron.text).next_ms(after_ms)
    except ValueError:
        found = None  # for a day that no month has
    assert (found if found is not None and found < until_ms else None) == expected


@given(wanted())
def test_times_go_forward(case: tuple[Wanted, int]):
    """Each time is a whole minute strictly after the one before, so that no trigger can come twice."""
    wanted, after_ms = case
    try:
        cron = compile_cron(wanted.text)
    except ValueError:
        return
    for _ in range(20):
        at_ms = cron.next_ms(after_ms)
        if at_ms is None:
            return
        assert at_ms > after_ms
        assert at_ms % MINUTE_MS == 0
        after_ms = at_ms


@pytest.mark.parametrize(
    ("text", "start", "times"),
    [
        # Skipped: it happens when the clock is changed. Repeated: it happens the first time.
        ("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        (
            "CRON_TZ=America/New_York 30 1,2 * * *",
            "2026-03-08T05:00",
            ["2026-03-08T01:30-05:00", "2026-03-08T03:00-04:00", "2026-03-09T01:30-04:00"],
        ),
        (
            "CRON_TZ=America/New_York 30 1 * * *",
            "2026-11-01T04:00",
            ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"],
        ),
        # Several times of day in the hour that is skipped are one moment.
        (
            "CRON_TZ=Europe/Berlin */20 2 * * *",
            "2026-03-29T00:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"],
        ),
        # Every hour: as often as there are hours.
        (
            "CRON_TZ=Europe/Berlin 0 * * * *",
            "2026-10-24T23:30",
            ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"],
        ),
        (
            "CRON_TZ=Europe/Berlin 30 0-23 * * *",
            "2026-03-29T00:00",
            ["2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00"],
        ),
        # Half an hour.
        (
            "CRON_TZ=Australia/Lord_Howe 35 * * * *",
            "2026-04-04T14:30",
            ["2026-04-05T01:35+11:00", "2026-04-05T01:35+10:30", "2026-04-05T02:35+10:30"],
        ),
        (
            "CRON_TZ=Australia/Lord_Howe 15 2 * * *",
            "2026-10-03T12:00",
            ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"],
        ),
        # A day that never was.
        ("CRON_TZ=Pacific/Apia 0 12 30 12 *", "2011-12-01T00:00", ["2011-12-31T00:00+14:00", "2012-12-30T12:00+14:00"]),
    ],
)
def test_a_time_of_day_happens_once(text: str, start: str, times: list[str]):
    """Never lost in spring, never twice in autumn: the reading of a rule that the documents do not tell."""
    assert following(text, start, len(times)) == times


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("* * * * *", ["2026-01-01T00:01+00:00", "2026-01-01T00:02+00:00"]),
        ("  0 0 * * *  ", ["2026-01-02T00:00+00:00"]),
        ("*/7 * * * *", ["2026-01-01T00:07+00:00", "2026-01-01T00:14+00:00"]),
        ("5/25 * * * *", ["2026-01-01T00:05+00:00", "2026-01-01T00:30+00:00", "2026-01-01T00:55+00:00"]),
        ("5-5/10 * * * *", ["2026-01-01T00:05+00:00", "2026-01-01T01:05+00:00"]),
        ("0 9-17/4 * jan mon-FRI", ["2026-01-01T09:00+00:00", "2026-01-01T13:00+00:00", "2026-01-01T17:00+00:00"]),
        ("0 0 * * 7", ["2026-01-04T00:00+00:00", "2026-01-11T00:00+00:00"]),
        ("0 0 * * 6/2", ["2026-01-03T00:00+00:00", "2026-01-10T00:00+00:00"]),
        ("0 0 13 * FRI", ["2026-01-02T00:00+00:00", "2026-01-09T00:00+00:00", "2026-01-13T00:00+00:00"]),
        ("0 0 */2 * FRI", ["2026-01-09T00:00+00:00", "2026-01-23T00:00+00:00"]),
        ("0 0 31 * *", ["2026-01-31T00:00+00:00", "2026-03-31T00:00+00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"]),
        ("0 0 30 2 MON", ["2026-02-02T00:00+00:00"]),
        ("CRON_TZ=Asia/Kolkata 0 9 * * *", ["2026-01-01T09:00+05:30"]),
        ("CRON_TZ=UTC 0 9 * * *", ["2026-01-01T09:00+00:00"]),
    ],
)
def test_what_a_cron_means(text: str, times: list[str]):
    """Names, lists, ranges and steps; of two limited days either holds; UTC unless a zone is named."""
    assert following(text, "2026-01-01T00:00", len(times)) == times
    assert compile_cron(text).text == text.strip()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields, and needs 5: minute, hour, day of month, month, day of week"),
        ("0 0 0 * * *", "6 fields"),
        ("60 * * * *", "minute: '60' is not from 0 to 59"),
        ("* 24 * * *", "hour: '24' is not from 0 to 23"),
        ("* * 0 * *", "day of month: '0' is not from 1 to 31"),
        ("* * * FEBRUARY *", "month: 'FEBRUARY' is not from 1 to 12 or JAN to DEC"),
        ("* * * * 8", "day of week: '8' is not from 0 to 7 or SUN to SAT"),
        ("* * * * FRI-SUN", "day of week: 'FRI-SUN' ends before it begins"),
        ("30-10 * * * *", "minute: '30-10' ends before it begins"),
        ("*/0 * * * *", "minute: '*/0' has a step of 0"),
        ("1,,2 * * * *", "minute: '' is none of"),
        ("*5 * * * *", "minute: '*5' is none of"),
        ("-1 * * * *", "minute: '-1' is none of"),
        ("٣ * * * *", "minute: '٣' is none of"),
        ("* * L * *", "day of month: 'L' is not from 1 to 31"),
        ("* * ? * *", "day of month: '?' is none of"),
        ("* * * * MON#2", "day of week: 'MON#2' is none of"),
        ("@daily", "write '0 0 * * *' instead of '@daily'"),
        ("@every 5m", "'@every' is no cron"),
        ("CRON_TZ=Mars/Olympus 0 0 * * *", "there is no time zone 'Mars/Olympus'"),
        ("CRON_TZ= 0 0 * * *", "there is no time zone ''"),
        ("CRON_TZ=../etc/passwd 0 0 * * *", "there is no time zone '../etc/passwd'"),
        ("CRON_TZ=localtime 0 0 * * *", "there is no time zone 'localtime'"),
        ("CRON_TZ=Europe/Berlin", "0 fields"),
        ("TZ=Europe/Berlin 0 0 * * *", "6 fields"),
        ("0 0 30 2 *", "no month it names has such a day, so it would never fall due"),
        ("0 0 31 4,6,9,11 *", "no month it names has such a day, so it would never fall due"),
        ("0 0 31 2 */2", "no month it names has such a day, so it would never fall due"),
        ("0 " * MAX_LENGTH, f"at most {MAX_LENGTH} characters"),
    ],
)
def test_what_is_no_cron(text: str, fault: str):
    """A cron that does not parse, or that would never fall due, is refused; its text is named beside the fault."""
    with pytest.raises(ValueError, match=re.escape(fault)):
        compile_cron(text)


@given(st.text(alphabet="0123456789*/,-? @LWJANMOFRIabc#=", max_size=30))
@settings(max_examples=some(100))
def test_whatever_is_typed_is_a_cron_or_a_value_error(text: str):
    """No text makes it fail in another way, or search without end."""
    try:
        cron = compile_cron(text)
    except ValueError:
        return
    at_ms = cron.next_ms(0)
    assert at_ms is None or at_ms > 0


def test_the_search_is_bounded():
    """A day that is decades away is found, and beyond the calendar nothing is."""
    cron = compile_cron("0 0 29 2 */7")
    assert cron.next_ms(ms("2026-01-01T00:00")) == ms("2032-02-29T00:00")
    assert compile_cron("* * * * *").next_ms(10**18) is None
    assert compile_cron("* * * * *").next_ms(-(10**18)) == 0
