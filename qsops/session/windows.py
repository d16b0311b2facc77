"""What a person says about time and filters, as the wire's filters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from qsops.errors import SettingsError
from qsops.models import CancelFilter, DlqFilter, LogFilter
from qsops.wire.durations import parse_duration

__all__ = ["Moment", "Texts", "cancel_filter", "dlq_filter", "log_filter", "moment_ms", "span_ms"]

#: A text such as "1h" (ago) or an ISO date (UTC unless it names a zone), a timedelta (ago), a datetime, or unix ms.
Moment = str | timedelta | datetime | int
Texts = str | Sequence[str]


def moment_ms(argument: str, value: Moment | None, now_ms: int) -> int | None:
    """A moment in unix milliseconds; what counts backwards counts from ``now_ms``.

    :raises SettingsError: it is neither.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, timedelta):
        return now_ms - round(value.total_seconds() * 1000)
    if isinstance(value, datetime):
        return _unix_ms(value)
    if not isinstance(value, str):
        raise SettingsError(f"{argument}: expected a time, got {value!r}")
    try:
        return now_ms - parse_duration(value) * 1000
    except ValueError:
        pass  # Then it is a date.
    try:
        return _unix_ms(datetime.fromisoformat(value))
    except ValueError as error:
        raise SettingsError(f"{argument}: {value!r} is neither a span such as '1h' nor an ISO date") from error


def span_ms(argument: str, value: str | float | timedelta) -> int:
    """A span in milliseconds, of a text such as "6h", seconds, or a timedelta.

    :raises SettingsError: it is none, or negative.
    """
    if isinstance(value, str):
        try:
            return parse_duration(value) * 1000
        except ValueError as error:
            raise SettingsError(f"{argument}: {error}") from error
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise SettingsError(f"{argument}: expected a span such as '6h', got {value!r}")
    return round(seconds * 1000)


def log_filter(
    now_ms: int,
    since: Moment | None,
    until: Moment | None,
    *,
    state: Texts | None = None,
    url: Texts | None = None,
    label: Texts | None = None,
    queue: Texts | None = None,
    message_id: Texts | None = None,
) -> LogFilter:
    """Which log entries: each argument is one value or several, of which any may hold."""
    from_ms, to_ms = _window(now_ms, since, until)
    return LogFilter(
        message_ids=_texts("message_id", message_id),
        states=tuple(text.upper() for text in _texts("state", state)),
        urls=_texts("url", url),
        labels=_texts("label", label),
        queues=_texts("queue", queue),
        from_ms=from_ms,
        to_ms=to_ms,
    )


def dlq_filter(
    now_ms: int,
    since: Moment | None,
    until: Moment | None,
    *,
    url: Texts | None = None,
    label: Texts | None = None,
    queue: Texts | None = None,
    message_id: Texts | None = None,
    response_status: int | Sequence[int] | None = None,
) -> DlqFilter:
    """Which dead letters: each argument is one value or several, of which any may hold."""
    from_ms, to_ms = _window(now_ms, since, until)
    statuses = (response_status,) if isinstance(response_status, int) else tuple(response_status or ())
    return DlqFilter(
        message_ids=_texts("message_id", message_id),
        urls=_texts("url", url),
        labels=_texts("label", label),
        queues=_texts("queue", queue),
        response_statuses=statuses,
        from_ms=from_ms,
        to_ms=to_ms,
    )


def cancel_filter(
    ids: Texts | None,
    *,
    url: Texts | None = None,
    label: Texts | None = None,
    queue: Texts | None = None,
    everything: bool = False,
) -> CancelFilter:
    """Which messages to cancel.

    :raises SettingsError: nothing is named, which on the wire means everything: that has to be said.
    """
    which = CancelFilter(
        message_ids=_texts("ids", ids),
        urls=_texts("url", url),
        labels=_texts("label", label),
        queues=_texts("queue", queue),
    )
    if which == CancelFilter() and not everything:
        raise SettingsError("name ids or a filter (url, label, queue), or all=True to cancel every pending message")
    if which.message_ids and which != CancelFilter(message_ids=which.message_ids):
        raise SettingsError("name ids or a filter, not both: QStash ignores the filter beside ids")
    # The wire refuses a bulk call without any filter; this one says of everything that it is meant.
    return CancelFilter(from_ms=0) if which == CancelFilter() else which


def _window(now_ms: int, since: Moment | None, until: Moment | None) -> tuple[int | None, int | None]:
    from_ms, to_ms = moment_ms("since", since, now_ms), moment_ms("until", until, now_ms)
    if from_ms is not None and to_ms is not None and from_ms > to_ms:
        raise SettingsError(f"since {since!r} is after until {until!r}")
    return from_ms, to_ms


def _texts(argument: str, value: Texts | None) -> tuple[str, ...]:
    if value is None:
        return ()
    texts = (value,) if isinstance(value, str) else tuple(value)
    # An empty list, or an empty value in it, would be dropped on the wire, and the filter hold for everything.
    if not texts:
        raise SettingsError(f"{argument}: an empty list names nothing; leave it out to mean everything")
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise SettingsError(f"{argument}: expected text, got {text!r}")
    return texts


def _unix_ms(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
