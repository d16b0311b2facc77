"""Named arguments to one Publish: what a person writes is checked here, before anything is sent.

Each fault is a SettingsError naming the argument and the value seen. A body is never shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from qsops.errors import SettingsError
from qsops.models import Callback, FlowControl, Publish
from qsops.publish import checks
from qsops.publish.checks import HeadersLike

__all__ = ["OPTIONS", "Options", "Span", "message"]

#: Seconds, a timedelta, or a text such as ``"1h30m"``.
Span = str | float | timedelta


class Options(TypedDict, total=False):
    """What ``publish`` takes besides its destination and body, by name; see :func:`message`."""

    queue: str | None
    delay: Span | None
    not_before: int | datetime | None
    retries: int | None
    retry_delay: str | None
    timeout: Span | None
    callback: str | Callback | None
    failure_callback: str | Callback | None
    deduplication_id: str | None
    content_based_deduplication: bool
    label: str | Sequence[str] | None
    flow_control: FlowControl | Mapping[str, Any] | None
    headers: HeadersLike | None
    method: str
    redact: str | Sequence[str] | None


#: What a row of many may set by a column of that name, besides ``json`` and ``body``.
OPTIONS: Final = ("url", "group", *Options.__annotations__)


def message(
    url: str | None = None,
    *,
    group: str | None = None,
    json: Any = ...,
    body: bytes | str | None = None,
    queue: str | None = None,
    delay: Span | None = None,
    not_before: int | datetime | None = None,
    retries: int | None = None,
    retry_delay: str | None = None,
    timeout: Span | None = None,
    callback: str | Callback | None = None,
    failure_callback: str | Callback | None = None,
    deduplication_id: str | None = None,
    content_based_deduplication: bool = False,
    label: str | Sequence[str] | None = None,
    flow_control: FlowControl | Mapping[str, Any] | None = None,
    headers: HeadersLike | None = None,
    method: str = "POST",
    redact: str | Sequence[str] | None = None,
) -> Publish:
    """One message to ``url``, or to each endpoint of the URL group ``group``.

    ``json`` is sent as JSON (``None`` as ``null``), ``body`` as it is, a text as UTF-8. ``delay`` and ``timeout`` are
    seconds, a timedelta or a text such as ``"1h30m"``; ``not_before`` is unix seconds or a datetime with a zone.
    ``retry_delay`` is an expression in milliseconds over ``retried``.

    :raises SettingsError: an argument is missing, malformed, or contradicts another.
    """
    content, content_headers = checks.content(json, body, checks.header_pairs("headers", headers))
    if delay is not None and not_before is not None:
        raise SettingsError("delay and not_before are both given: QStash ignores the delay then, so give one")
    return Publish(
        destination=checks.destination(url, group),
        body=content,
        method=checks.method_name(method),
        headers=content_headers,
        delay_s=checks.seconds("delay", delay),
        not_before_s=checks.unix_seconds("not_before", not_before),
        timeout_s=checks.at_least(1, "timeout", checks.seconds("timeout", timeout)),
        retries=checks.count("retries", retries),
        retry_delay=checks.delay_expression(retry_delay),
        callback=checks.callback_of("callback", callback),
        failure_callback=checks.callback_of("failure_callback", failure_callback),
        deduplication_id=checks.one_line_id(deduplication_id),
        content_based_deduplication=content_based_deduplication,
        labels=checks.label_names(label),
        queue=None if queue is None else checks.name("queue", queue),
        flow_control=checks.flow_limits(flow_control),
        redact=checks.redacted_fields(redact),
    )
