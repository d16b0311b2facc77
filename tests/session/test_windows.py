from datetime import UTC, datetime, timedelta

import pytest

from qsops.clock import EPOCH_MS
from qsops.errors import SettingsError
from qsops.models import CancelFilter, DlqFilter, LogFilter
from qsops.session.windows import cancel_filter, dlq_filter, log_filter, moment_ms, span_ms

NOW_MS = EPOCH_MS + 86_400_000


@pytest.mark.parametrize(
    ("value", "at_ms"),
    [
        (None, None),
        ("1h", NOW_MS - 3_600_000),
        ("1d", EPOCH_MS),
        (timedelta(hours=24), EPOCH_MS),
        ("2026-01-01", EPOCH_MS),
        ("2026-01-01T01:00:00+01:00", EPOCH_MS),
        ("2026-01-01 00:00:00.250", EPOCH_MS + 250),
        (datetime(2026, 1, 1, tzinfo=UTC), EPOCH_MS),
        (datetime(2026, 1, 1), EPOCH_MS),
        (EPOCH_MS, EPOCH_MS),
    ],
)
def test_a_moment_is_a_span_back_or_a_date_in_utc(value: object, at_ms: int | None):
    """What a person says about time becomes one number, in UTC unless a zone is named."""
    assert moment_ms("since", value, NOW_MS) == at_ms


@pytest.mark.parametrize("value", ["yesterday", "", 1.5, True, [1]])
def test_what_is_no_moment_is_named(value: object):
    """A time that cannot be read is refused with what was given."""
    with pytest.raises(SettingsError, match="since"):
        moment_ms("since", value, NOW_MS)


@pytest.mark.parametrize(("value", "ms"), [("6h", 21_600_000), (1.5, 1500), (0, 0), (timedelta(minutes=1), 60_000)])
def test_a_span_is_text_seconds_or_a_timedelta(value: object, ms: int):
    """Spans come in three spellings and one meaning."""
    assert span_ms("by", value) == ms


@pytest.mark.parametrize("value", ["6 hours", -1, True, float("nan")])
def test_what_is_no_span_is_named(value: object):
    """A span that cannot be read, or goes back, is refused."""
    with pytest.raises(SettingsError, match="by"):
        span_ms("by", value)


def test_a_filter_takes_one_value_or_several():
    """One text is a list of one, and states are spelled as on the wire."""
    which = log_filter(NOW_MS, "1d", "1h", state="failed", url=["a", "b"], label="c", queue="d", message_id="e")
    assert which == LogFilter(
        message_ids=("e",),
        states=("FAILED",),
        urls=("a", "b"),
        labels=("c",),
        queues=("d",),
        from_ms=EPOCH_MS,
        to_ms=NOW_MS - 3_600_000,
    )
    assert dlq_filter(NOW_MS, None, None, response_status=489) == DlqFilter(response_statuses=(489,))
    assert dlq_filter(NOW_MS, None, None, response_status=[0, 500]) == DlqFilter(response_statuses=(0, 500))


def test_a_window_that_ends_before_it_begins_is_refused():
    """since and until in the wrong order would be an empty answer that looks like good news."""
    with pytest.raises(SettingsError, match="since '1h' is after until '2h'"):
        log_filter(NOW_MS, "1h", "2h")


@pytest.mark.parametrize("value", [[], [""], "", [None]])
def test_an_empty_filter_value_is_not_no_filter(value: object):
    """An empty list comes from a bug upstream: it must not select everything."""
    with pytest.raises(SettingsError, match="label"):
        log_filter(NOW_MS, None, None, label=value)
    with pytest.raises(SettingsError, match="label"):
        cancel_filter(None, label=value)


def test_to_cancel_everything_has_to_be_said():
    """No filter means everything on the wire, so here it is refused unless meant."""
    with pytest.raises(SettingsError, match="all=True"):
        cancel_filter(None)
    assert cancel_filter(None, everything=True) == CancelFilter(from_ms=0)
    assert cancel_filter("msg_1") == CancelFilter(message_ids=("msg_1",))
    with pytest.raises(SettingsError, match="not both"):
        cancel_filter("msg_1", label="a")
