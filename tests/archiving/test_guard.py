"""The retention guard against a day by day count of what is forgotten."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.archive.guard import (
    Deadline,
    deadlines,
    forgotten,
    log_expiries,
    missing,
    next_working_day_ms,
)
from qsops.clock import EPOCH_MS, utc

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair))), max_size=6)


@pytest.mark.parametrize(
    ("now", "zone", "begins"),
    [
        ("2026-01-01T08:59:59+00:00", "UTC", "2026-01-01T09:00:00+00:00"),
        ("2026-01-01T09:00:00+00:00", "UTC", "2026-01-02T09:00:00+00:00"),
        ("2026-01-02T17:00:00+00:00", "UTC", "2026-01-05T09:00:00+00:00"),
        ("2026-01-04T23:30:00+00:00", "Asia/Tokyo", "2026-01-05T00:00:00+00:00"),
        ("2026-03-27T17:00:00+00:00", "Europe/Berlin", "2026-03-30T07:00:00+00:00"),
    ],
)
def test_a_working_day_begins_at_nine(now: str, zone: str, begins: str):
    """From Monday to Friday, on the clocks of the zone, which may change over the weekend."""
    found = next_working_day_ms(round(datetime.fromisoformat(now).timestamp() * 1000), ZoneInfo(zone))
    assert utc(found) == datetime.fromisoformat(begins)


def test_the_earlier_deadline_stands_first():
    """What a sync an hour away saves need not wait for a person."""
    friday_ms = EPOCH_MS + DAY_MS
    assert [one.name for one in deadlines(friday_ms, HOUR_MS)] == ["the next sync", "the next working day"]
    assert [one.name for one in deadlines(friday_ms, 9 * DAY_MS)] == ["the next working day", "the next sync"]


@given(spans, st.integers(0, 40), st.integers(0, 80))
def test_missing_is_what_nobody_covers(covered: list[tuple[int, int]], from_ms: int, to_ms: int):
    """Each millisecond of the range is missing or covered, and none outside of it is named."""
    found = {ms for first, last in missing(covered, from_ms, to_ms) for ms in range(first, last + 1)}
    assert found == {ms for ms in range(from_ms, to_ms + 1) if not any(first <= ms <= last for first, last in covered)}


@given(
    spans.filter(bool), st.integers(0, 100), st.integers(1, 60), st.lists(st.integers(1, 90), min_size=1, max_size=3)
)
def test_what_expires_is_named_once_with_its_first_deadline(
    covered: list[tuple[int, int]], now_ms: int, retention_ms: int, waits_ms: list[int]
):
    """Each millisecond that QStash has and the archive has not, if it is forgotten by then: no other, none twice."""
    until = [Deadline(f"in {wait}", now_ms + wait) for wait in sorted(waits_ms)]
    begins_ms = min(first for first, _ in covered)
    found = [
        (ms, one.before)
        for one in log_expiries(covered, now_ms, retention_ms, until)
        for ms in range(one.from_ms, one.to_ms + 1)
    ]
    expected = {}
    for deadline in reversed(until):
        for ms in range(max(begins_ms, now_ms - retention_ms), deadline.at_ms - retention_ms):
            if not any(first <= ms <= last for first, last in covered):
                expected[ms] = deadline.name
    assert dict(found) == expected
    assert len(found) == len(expected)


@given(spans, st.integers(0, 100), st.integers(1, 60))
def test_a_gap_is_forgotten_when_none_of_it_can_be_pulled(
    covered: list[tuple[int, int]], now_ms: int, retention_ms: int
):
    """It lies after the archive's beginning and before the oldest entry that QStash still holds."""
    found = {ms for first, last in forgotten(covered, now_ms, retention_ms) for ms in range(first, last + 1)}
    begins_ms = min((first for first, _ in covered), default=now_ms)
    assert found == {
        ms for ms in range(begins_ms, now_ms - retention_ms) if not any(first <= ms <= last for first, last in covered)
    }


def test_a_weekend_without_syncs_is_told_on_friday():
    """A free plan forgets after three days: what a cron that stopped on Thursday missed is gone on Monday."""
    friday_ms = EPOCH_MS + DAY_MS + 17 * HOUR_MS
    covered = [(EPOCH_MS - 5 * DAY_MS, EPOCH_MS + 6 * HOUR_MS)]
    until = deadlines(friday_ms, HOUR_MS)
    (expiry,) = log_expiries(covered, friday_ms, 3 * DAY_MS, until)
    assert expiry.before == "the next working day"
    assert utc(expiry.from_ms) == datetime.fromisoformat("2026-01-01T06:00:00.001+00:00")
    assert utc(expiry.to_ms) == datetime.fromisoformat("2026-01-02T08:59:59.999+00:00")
    assert expiry.first_ms == expiry.from_ms + 3 * DAY_MS
    assert log_expiries([(EPOCH_MS, friday_ms)], friday_ms, 3 * DAY_MS, until) == ()
