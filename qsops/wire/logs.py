"""Log entries as JSON, under both of the service's spellings, and the calls that list them.

Both SDKs read ``GET /v2/events`` with the key ``events``; the OpenAPI document says ``GET /v2/logs`` with ``logs``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from qsops.errors import Corrupt, Rejected
from qsops.models import LogEntry, LogFilter, Page, State
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.query import EARLIEST_FIRST, MOST_NUMBER, ORDERS, Parameters, encode_query
from qsops.wire.values import (
    cursor_of,
    flow_control_fields,
    flow_control_of,
    header_map,
    headers_of,
    json_answer,
    number,
    present,
    text,
    texts_of,
    to_base64,
    unbase64,
)

__all__ = [
    "EVENTS_PATH",
    "LOGS_PARAMETERS",
    "LOGS_PATH",
    "listed_logs",
    "log_json",
    "logs_json",
    "logs_request",
    "parse_log",
    "parse_logs",
    "parse_logs_request",
]

EVENTS_PATH: Final = "/v2/events"
LOGS_PATH: Final = "/v2/logs"

_FILTERS: Final = {
    "states": "state",
    "urls": "url",
    "url_groups": "topicName",
    "queues": "queueName",
    "schedule_ids": "scheduleId",
    "labels": "label",
    "hosts": "host",
    "paths": "path",
    "flow_control_keys": "flowControlKey",
}
#: What a listing may be asked for; parameters that are not among them are passed over.
LOGS_PARAMETERS: Final = (
    *_FILTERS.values(),
    *("messageId", "messageIds", "callerIp", "callerIP", "fromDate", "toDate", "order", "count", "cursor"),
    *("groupBy", "trimBody"),
)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return number(value) is not None


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_texts(value: Any) -> bool:
    return isinstance(value, str | list)


_LIMITS: Final = frozenset({"rate", "period", "parallelism"})
#: What each known field must be to be read.
_KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("messageId", "state", "url", "error", "body", "responseBody", "callback", "method"), _is_text),
    **dict.fromkeys(("topicName", "endpointName", "scheduleId", "queueName", "failureCallback"), _is_text),
    **dict.fromkeys(("callerIP", "callerIp", "retryDelayExpression", "retryDelayExpr", "flowControlKey"), _is_text),
    **dict.fromkeys(("time", "nextDeliveryTime", "responseStatus", "timeout", "maxRetries"), _is_number),
    **dict.fromkeys(_LIMITS, _is_number),
    **dict.fromkeys(("header", "responseHeader", "responseHeaders"), _is_map),
    **dict.fromkeys(("callbackHeaders", "failureCallbackHeaders"), _is_map),
    **dict.fromkeys(("label", "labels"), _is_texts),
}


#: What may be asked for; the service's own documents spell the last one in two ways (reference, section 0.3).
_STATES: Final = (
    *(State.CREATED, State.ACTIVE, State.RETRY, State.ERROR, State.IN_PROGRESS, State.DELIVERED, State.FAILED),
    *(State.CANCEL_REQUESTED, State.CANCELED, "CANCELLED"),
)


def logs_request(
    wanted: LogFilter, cursor: str | None = None, count: int | None = None, path: str = EVENTS_PATH
) -> Request:
    """One page of the log; a cursor is passed back with the filters that it came from."""
    named = [(name, getattr(wanted, field)) for field, name in _FILTERS.items()]
    rest = [
        ("messageId" if len(wanted.message_ids) == 1 else "messageIds", wanted.message_ids),
        ("callerIp", wanted.caller_ips),
        ("fromDate", wanted.from_ms),
        ("toDate", wanted.to_ms),
        ("order", EARLIEST_FIRST if wanted.earliest_first else None),
        ("count", count),
        ("cursor", cursor),
    ]
    return Request("GET", path, encode_query([*named, *rest]))


def parse_logs_request(request: Request, most: int = MOST_NUMBER) -> tuple[LogFilter, str | None, int | None]:
    """Filter, cursor and count, ``most`` at the most, of a listing; parameters that are not known are passed over.

    :raises Rejected: 400 for a value that does not parse.
    """
    parameters = Parameters(request.query)
    for state in parameters.texts("state"):
        if state not in _STATES:
            raise Rejected(400, texts.invalid_parameter("state", state, f"it is one of {', '.join(_STATES)}"))
    wanted = LogFilter(
        **parameters.filters(_FILTERS),
        message_ids=parameters.texts("messageId", "messageIds"),
        earliest_first=parameters.choice("order", ORDERS) == EARLIEST_FIRST,
    )
    return wanted, parameters.text("cursor"), parameters.number("count", least=1, most=most)


def log_json(entry: LogEntry) -> dict[str, Any]:
    """``entry`` as QStash shows it, with the spellings of the document and of the SDKs side by side."""
    response_headers = header_map(entry.response_headers)
    fields = {
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
        "callbackHeaders": header_map(entry.callback_headers),
        "failureCallback": entry.failure_callback,
        "failureCallbackHeaders": header_map(entry.failure_callback_headers),
        "callerIP": entry.caller_ip,
        "header": header_map(entry.headers),
        "body": None if entry.body is None else to_base64(entry.body),
        "responseStatus": entry.response_status,
        "responseHeader": response_headers,
        "responseHeaders": response_headers,
        "responseBody": None if entry.response_body is None else to_base64(entry.response_body),
        **flow_control_fields(entry.flow_control),
    }
    # The Python SDK raises for the whole page where one of the first four is missing.
    required = {"time": entry.time_ms, "messageId": entry.message_id, "state": entry.state, "url": entry.url or ""}
    return {**entry.extra, **required, **present(fields)}


def parse_log(fields: Any) -> LogEntry:
    """A log entry of its JSON, whatever it says.

    States that are not known are kept as they came; so are, in ``extra``, fields that are not known, or whose value has
    another type than it should. A missing time is 0, a missing id or state empty, anything else missing None.

    :raises Corrupt: only when it is no object.
    """
    if not isinstance(fields, Mapping):
        raise Corrupt(f"QStash answered with something that is no log entry: {str(fields)[:80]!r}")
    entry = LogEntry(
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
        callback_headers=headers_of(fields.get("callbackHeaders")),
        failure_callback=text(fields.get("failureCallback")),
        failure_callback_headers=headers_of(fields.get("failureCallbackHeaders")),
        headers=headers_of(fields.get("header")),
        body=_body(fields.get("body")),
        response_headers=headers_of(fields.get("responseHeaders")) or headers_of(fields.get("responseHeader")),
        response_body=_body(fields.get("responseBody")),
    )
    # Limits without a key belong to no flow control that we know.
    read = _KINDS.keys() if entry.flow_control else _KINDS.keys() - _LIMITS
    extra = {name: value for name, value in fields.items() if name not in read or not _is_read(name, value)}
    return replace(entry, extra=extra) if extra else entry


def logs_json(page: Page[LogEntry], key: Literal["events", "logs"]) -> dict[str, Any]:
    """A page of entries; the cursor is absent at the end."""
    return {key: [log_json(entry) for entry in page.items], **present({"cursor": page.cursor})}


def parse_logs(response: Response) -> Page[LogEntry]:
    """A page of entries, of either shape.

    :raises Corrupt: when it is neither.
    """
    entries, cursor = listed_logs(response)
    return Page(tuple(map(parse_log, entries)), cursor)


def listed_logs(response: Response, loads: Callable[[bytes], Any] = json.loads) -> tuple[list[Any], str | None]:
    """The entries of a page as their JSON, read by ``loads``, says them, for :func:`parse_log`; and its cursor.

    :raises Corrupt: when it is no page of either shape.
    """
    answer = json_answer(response, loads)
    if not isinstance(answer, Mapping) or not ("events" in answer or "logs" in answer):
        raise Corrupt("QStash answered a listing of the log without 'events' or 'logs'")
    entries = answer.get("logs") if answer.get("events") is None else answer["events"]
    # A server written in Go says null for a list that has nothing in it.
    if not isinstance(entries, list | None):
        raise Corrupt("QStash answered a listing of the log with no list in it")
    return entries or [], cursor_of(answer)


def _is_read(name: str, value: Any) -> bool:
    """Whether an entry's field says all that ``value`` does; null and an empty text say nothing."""
    return value is None or value == "" or _KINDS[name](value)


def _body(value: Any) -> bytes | None:
    return unbase64(value) if isinstance(value, str) else None
