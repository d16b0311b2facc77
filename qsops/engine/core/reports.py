"""Callbacks: the reports of an attempt, which are messages themselves."""

from __future__ import annotations

from qsops.clock import Ids
from qsops.engine.core.attempts import Attempt, Outcome, ReportIds
from qsops.models import Callback, CallbackReport, Message
from qsops.wire.callbacks import callback_body
from qsops.wire.http import header

__all__ = ["report_ids", "report_message"]


def report_ids(message: Message, ids: Ids) -> ReportIds:
    """One id for each callback that ``message`` asks for."""
    return ReportIds(
        ids.make("msg_") if message.callback else None,
        ids.make("msg_") if message.failure_callback else None,
    )


def report_message(
    callback: Callback, attempt: Attempt, outcome: Outcome, *, message_id: str, now_ms: int, dlq_id: str | None = None
) -> Message:
    """The message that tells ``callback`` of ``outcome``; its retries follow the original's unless it sets its own."""
    headers = callback.headers
    if header(headers, "Content-Type") is None:
        headers = (("Content-Type", "application/json"), *headers)
    return Message(
        message_id=message_id,
        url=callback.url,
        method=callback.method,
        headers=headers,
        body=callback_body(_report(attempt, outcome, dlq_id)),
        created_at_ms=now_ms,
        not_before_ms=now_ms,
        max_retries=attempt.message.max_retries if callback.retries is None else callback.retries,
        retry_delay=callback.retry_delay,
        timeout_s=callback.timeout_s,
        caller_ip=attempt.message.caller_ip,
        # The report quotes the message: what that hides must not be read in the report's own log.
        redact=("body",) if attempt.message.redact else (),
    )


def _report(attempt: Attempt, outcome: Outcome, dlq_id: str | None) -> CallbackReport:
    source = attempt.message
    return CallbackReport(
        source_message_id=source.message_id,
        status=outcome.status,
        url=source.url,
        method=source.method,
        retried=attempt.retried,
        max_retries=source.max_retries,
        headers=outcome.headers,
        body=outcome.body,
        source_headers=source.headers,
        source_body=source.body,
        created_at_ms=source.created_at_ms,
        not_before_ms=source.not_before_ms,
        dlq_id=dlq_id,
        url_group=source.url_group,
        endpoint=source.endpoint,
        schedule_id=source.schedule_id,
        caller_ip=source.caller_ip,
    )
