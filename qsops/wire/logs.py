"""Log entries as JSON, under both of the service's spellings, and the calls that list them.

Both SDKs read ``GET /v2/events`` with the key ``events``; the OpenAPI document says ``GET /v2/logs`` with ``logs``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Literal

from qsops.errors import Corrupt
from qsops.models import LogEntry, LogFilter, Page
from qsops.wire.http import Request, Response
from qsops.wire.messages import flow_control_fields, flow_control_of
from qsops.wire.query import Parameters, encode_query
from qsops.wire.values import header_map, headers_of, json_answer, number, present, text, texts_of, unbase64

__all__ = [
    "EVENTS_PATH",
    "LOGS_PATH",
    "log_json",
    "logs_json",
    "logs_request",
    "parse_log",
    "parse_logs",
    "parse_logs_request",
]

EVENTS_PATH = "/v2/events"
LOGS_PATH = "/v2/logs"
ORDERS = ("earliestFirst", "latestFirst")

_FILTERS = {
    "message_ids": "messageIds",
    "states": "state",
    "urls": "url",
    "url_groups": "topicName",
    "queues": "queueName",
    "schedule_ids": "scheduleId",
    "labels": "label",
    "hosts": "host",
    "paths": "path",
    "flow_control_keys": "flowControlKey",
    "caller_ips": "callerIp",
}
_KNOWN = frozenset(
    {
        *("time", "messageId", "state", "url", "header", "body", "error", "nextDeliveryTime", "topicName"),
        *("endpointName", "scheduleId", "queueName", "responseStatus", "responseBody", "responseHeaders"),
        *("responseHeader", "timeout", "method", "callback", "failureCallback", "maxRetries", "label", "labels"),
        *("retryDelayExpression", "retryDelayExpr", "flowControlKey", "rate", "period", "parallelism"),
        *("callerIP", "callerIp"),
    }
)


def logs_request(
    wanted: LogFilter, cursor: str | None = None, count: int | None = None, path: str = EVENTS_PATH
) -> Request:
    """One page of the log; a cursor is passed back with the filters that it came from."""
    named = [(name, getattr(wanted, field)) for field, name in _FILTERS.items()]
    if len(wanted.message_ids) == 1:
        named[0] = ("messageId", wanted.message_ids)
    rest = [
        ("fromDate", wanted.from_ms),
        ("toDate", wanted.to_ms),
        ("order", ORDERS[0] if wanted.earliest_first else None),
        ("count", count),
        ("cursor", cursor),
    ]
    return Request("GET", path, encode_query([*named, *rest]))


def parse_logs_request(request: Request) -> tuple[LogFilter, str | None, int | None]:
    """Filter, cursor and count of a listing. :raises Rejected: 400 for a value that does not parse."""
    parameters = Parameters(request.query)
    many = {field: parameters.texts(name) for field, name in _FILTERS.items()}
    many["message_ids"] = parameters.texts("messageId", "messageIds")
    many["urls"] = parameters.raw_texts("url")
    many["caller_ips"] = parameters.texts("callerIp", "callerIP")
    wanted = LogFilter(
        **many,
        from_ms=parameters.number("fromDate"),
        to_ms=parameters.number("toDate"),
        earliest_first=parameters.choice("order", ORDERS) == ORDERS[0],
    )
    return wanted, parameters.text("cursor"), parameters.number("count", least=1)


def log_json(entry: LogEntry) -> dict[str, Any]:
    """``entry`` as QStash shows it, with the spellings of the document and of the SDKs side by side."""
    response_headers = header_map(entry.response_headers)
    fields = {
        "time": entry.time_ms,
        "messageId": entry.message_id,
        "state": entry.state,
        "url": entry.url,
        "topicName": entry.url_group,
        "endpointName": entry.endpoint,
        "scheduleId": entry.schedule_id,
        "queueName": entry.queue,
        "label": entry.labels[0] if entry.labels else None,
        "labels": list(entry.labels) or None,
        "method": entry.method,
        "error": entry.error,
        "nextDeliveryTime": entry.next_delivery_ms,
        "maxRetries": entry.max_retries,
        "retryDelayExpression": entry.retry_delay,
        "retryDelayExpr": entry.retry_delay,
        "timeout": entry.timeout_ms,
        "callback": entry.callback,
        "failureCallback": entry.failure_callback,
        "callerIP": entry.caller_ip,
        "header": header_map(entry.headers),
        "body": _base64(entry.body),
        "responseStatus": entry.response_status,
        "responseHeader": response_headers,
        "responseHeaders": response_headers,
        "responseBody": _base64(entry.response_body),
        **flow_control_fields(entry.flow_control),
    }
    return {**present(fields), **entry.extra}


def parse_log(fields: Any) -> LogEntry:
    """A log entry of its JSON. States and fields that are not known are kept as they came, missing ones are None.

    :raises Corrupt: only when it is no object.
    """
    if not isinstance(fields, Mapping):
        raise Corrupt(f"QStash answered with something that is no log entry: {str(fields)[:80]!r}")
    return LogEntry(
        time_ms=number(fields.get("time")) or 0,
        message_id=text(fields.get("messageId")) or "",
        state=text(fields.get("state")) or "",
        url=text(fields.get("url")),
        url_group=text(fields.get("topicName")),
        endpoint=text(fields.get("endpointName")),
        queue=text(fields.get("queueName")),
        schedule_id=text(fields.get("scheduleId")),
        labels=texts_of(fields.get("labels")) or texts_of(fields.get("label")),
        method=text(fields.get("method")),
        response_status=number(fields.get("responseStatus")),
        error=text(fields.get("error")),
        next_delivery_ms=number(fields.get("nextDeliveryTime")),
        max_retries=number(fields.get("maxRetries")),
        retry_delay=text(fields.get("retryDelayExpression")) or text(fields.get("retryDelayExpr")),
        flow_control=flow_control_of(fields),
        caller_ip=text(fields.get("callerIP")) or text(fields.get("callerIp")),
        timeout_ms=number(fields.get("timeout")),
        callback=text(fields.get("callback")),
        failure_callback=text(fields.get("failureCallback")),
        headers=headers_of(fields.get("header")),
        body=unbase64(fields["body"]) if fields.get("body") is not None else None,
        response_headers=headers_of(fields.get("responseHeaders")) or headers_of(fields.get("responseHeader")),
        response_body=unbase64(fields["responseBody"]) if fields.get("responseBody") is not None else None,
        extra={name: value for name, value in fields.items() if name not in _KNOWN},
    )


def logs_json(page: Page[LogEntry], key: Literal["events", "logs"]) -> dict[str, Any]:
    """A page of entries; the cursor is absent at the end."""
    fields: dict[str, Any] = {key: [log_json(entry) for entry in page.items]}
    return fields if page.cursor is None else {**fields, "cursor": page.cursor}


def parse_logs(response: Response) -> Page[LogEntry]:
    """A page of entries, of either shape. :raises Corrupt: when it is neither."""
    answer = json_answer(response)
    entries = answer.get("events", answer.get("logs")) if isinstance(answer, Mapping) else None
    if not isinstance(entries, list):
        raise Corrupt("QStash answered a listing of the log without 'events' or 'logs'")
    cursor = answer.get("cursor")
    return Page(tuple(parse_log(entry) for entry in entries), str(cursor) if cursor not in {None, ""} else None)


def _base64(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()
