"""The body of a callback: the outcome of one attempt, told to the publisher.

The documents disagree on the form of ``sourceHeader`` and of the times; we write lists and numbers, and read either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from qsops.errors import Corrupt
from qsops.models import DEFAULT_METHOD, CallbackReport
from qsops.wire.values import header_map, headers_of, number, present, text, to_base64, unbase64

__all__ = ["callback_body", "parse_callback"]


def callback_body(report: CallbackReport) -> bytes:
    """``report`` as JSON, bodies as base64."""
    fields = {
        "dlqId": report.dlq_id,
        "topicName": report.url_group,
        "endpointName": report.endpoint,
        "notBefore": report.not_before_ms,
        "createdAt": report.created_at_ms,
        "scheduleId": report.schedule_id,
        "callerIP": report.caller_ip,
    }
    always = {
        "status": report.status,
        "header": header_map(report.headers),
        "body": to_base64(report.body),
        "retried": report.retried,
        "maxRetries": report.max_retries,
        "sourceMessageId": report.source_message_id,
        "url": report.url,
        "method": report.method,
        "sourceHeader": header_map(report.source_headers),
        "sourceBody": to_base64(report.source_body),
    }
    return json.dumps({**always, **present(fields)}, ensure_ascii=False, separators=(",", ":")).encode()


def parse_callback(body: bytes) -> CallbackReport:
    """The report of a callback's body; a header may be a text or a list, a number may be quoted.

    :raises Corrupt: when it is no JSON object with a ``sourceMessageId``.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Corrupt("a callback's body is not JSON") from error
    if not isinstance(fields, Mapping) or not text(fields.get("sourceMessageId")):
        raise Corrupt("a callback's body has no sourceMessageId")
    return CallbackReport(
        source_message_id=str(fields["sourceMessageId"]),
        status=number(fields.get("status")) or 0,
        url=text(fields.get("url")) or "",
        method=text(fields.get("method")) or DEFAULT_METHOD,
        retried=number(fields.get("retried")) or 0,
        max_retries=number(fields.get("maxRetries")) or 0,
        headers=headers_of(fields.get("header")),
        body=unbase64(fields.get("body")),
        source_headers=headers_of(fields.get("sourceHeader")),
        source_body=unbase64(fields.get("sourceBody")),
        created_at_ms=number(fields.get("createdAt")),
        not_before_ms=number(fields.get("notBefore")),
        dlq_id=text(fields.get("dlqId")),
        url_group=text(fields.get("topicName")),
        endpoint=text(fields.get("endpointName")),
        schedule_id=text(fields.get("scheduleId")),
        caller_ip=text(fields.get("callerIP")) or text(fields.get("callerIp")),
    )
