from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.clock import EPOCH_MS, utc
from qsops.models import Headers
from qsops.retry import (
    MAX_DELAY_MS,
    compile_expression,
    default_delay_ms,
    horizon_s,
    next_delay_ms,
    requested_delay_ms,
)

DELAY_HEADERS = ("Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens")


def asked(value: str, name: str = "Retry-After") -> int | None:
    return requested_delay_ms(((name, value),), EPOCH_MS)


@pytest.mark.parametrize(
    ("retry", "delay_s"), [(1, 12), (2, 148), (3, 1808), (4, 22_026), (5, 86_400), (6, 86_400), (10_000, 86_400)]
)
def test_the_default_curve(retry: int, delay_s: int):
    """e^(2.5 n) seconds, whole, at most a day: 12 s, 2m28s, 30m8s, 6h7m6s, 24h (reference, section 5)."""
    assert default_delay_ms(retry) == delay_s * 1000


@pytest.mark.parametrize("retry", [0, -1])
def test_retries_are_counted_from_one(retry: int):
    """There is no wait before a retry number 0: asking for it is a mistake of the caller."""
    with pytest.raises(ValueError, match="counted from 1"):
        default_delay_ms(retry)


@pytest.mark.parametrize("name", [*DELAY_HEADERS, "retry-after", "x-ratelimit-reset-tokens"])
def test_each_header_is_heard(name: str):
    """All four headers set the delay, however they are spelled."""
    assert asked("30", name) == 30_000


@pytest.mark.parametrize(
    ("value", "delay_ms"),
    [
        ("0", 0),
        ("120", 120_000),
        ("1.5", 1500),
        (" 7 ", 7000),
        ("86400", MAX_DELAY_MS),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60_000),
        ("Fri, 02 Jan 2026 00:00:00 GMT", MAX_DELAY_MS),
        ("Wed, 31 Dec 2025 23:59:59 GMT", 0),
        ("Thu, 1 Jan 2026 00:00:01 UTC", 1000),
        ("6m5s", 365_000),
        ("200ms", 200),
        ("1.5s", 1500),
        ("24h", MAX_DELAY_MS),
        ("1h0m0.5s", 3_600_500),
    ],
)
def test_a_wish_is_seconds_a_date_or_a_go_duration(value: str, delay_ms: int):
    """The three spellings of the reference, section 5; 0 and a date in the past mean at once."""
    assert asked(value) == delay_ms


@pytest.mark.parametrize(
    "value",
    [
        "86401",
        "86400.5",
        "24h0m1s",
        "Fri, 02 Jan 2026 00:00:01 GMT",
        "1767225660",
        "9" * 60,
        "9" * 5000,
        "-1",
        "-5s",
        "",
        " ",
        "soon",
        "1d",
        "nan",
        "inf",
        "1e3",
        "٣",
        "Thu, 32 Jan 2026 00:00:00 GMT",
        "Thu, 01 Jan 2026 24:00:00 GMT",
        "Thu, 01 Jan 2026 00:00:60 GMT",
        "Thu, 01 Jan 0000 00:00:00 GMT",
        "Thu, 01 Jan 2026 00:01:00 +0100",
        "2026-01-01T00:01:00Z",
    ],
)
def test_what_cannot_be_followed_is_passed_over(value: str):
    """More than a day, a negative number and what is no time is as good as no header."""
    assert asked(value) is None


def test_the_first_header_that_can_be_followed_decides():
    """Retry-After stands before the others; one that cannot be followed does not hide the next."""
    headers: Headers = (("X-RateLimit-Reset", "20"), ("Retry-After", "10"))
    assert requested_delay_ms(headers, EPOCH_MS) == 10_000
    assert requested_delay_ms((("Retry-After", "later"), ("X-RateLimit-Reset", "20")), EPOCH_MS) == 20_000
    assert requested_delay_ms((("Content-Type", "text/plain"),), EPOCH_MS) is None


@given(ahead_s=st.integers(-(10**9), 10**9))
def test_any_date_that_a_server_writes_is_understood(ahead_s: int):
    """A date of the standard library's own making gives the wait until then, none if past, and nothing over a day."""
    date = format_datetime(utc(EPOCH_MS + ahead_s * 1000), usegmt=True)
    wanted = None if ahead_s > 86_400 else max(0, ahead_s) * 1000
    assert asked(date) == wanted


@given(value=st.text())
def test_no_answer_of_a_stranger_raises(value: str):
    """Whatever a destination writes into a header, the wait is in bounds or not asked for."""
    delay_ms = asked(value)
    assert delay_ms is None or 0 <= delay_ms <= MAX_DELAY_MS


def test_the_answer_wins_over_the_expression_and_that_over_the_curve():
    """The order of the three: Retry-After, Upstash-Retry-Delay, the default curve."""
    expression = compile_expression("1000 * (retried + 1)")
    wish: Headers = (("Retry-After", "0"),)
    assert next_delay_ms(expression, 1, wish, EPOCH_MS) == 0
    assert next_delay_ms(expression, 1, (), EPOCH_MS) == 2000
    assert next_delay_ms(None, 1, (), EPOCH_MS) == 148_000
    assert next_delay_ms(None, 0, (), EPOCH_MS) == 12_000


def test_a_wish_of_more_than_a_day_falls_back():
    """An answer that asks for more than a day is ignored, not cut to a day."""
    assert next_delay_ms(None, 0, (("Retry-After", "90000"),), EPOCH_MS) == 12_000


@pytest.mark.parametrize(("retries", "seconds"), [(0, 0), (1, 12), (3, 1968), (5, 110_394)])
def test_the_outage_that_is_survived(retries: int, seconds: int):
    """3 retries survive 33 minutes, 5 more than 30 hours: all waits of the curve together."""
    assert horizon_s(retries) == seconds


def test_the_outage_that_an_expression_survives():
    """A policy of one's own survives the sum of its waits, in seconds with the milliseconds kept."""
    assert horizon_s(3, compile_expression("500 * (retried + 1)")) == 3.0
    assert horizon_s(1, compile_expression("250")) == 0.25
