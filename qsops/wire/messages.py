"""Messages as JSON, and the calls that read and cancel them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qsops.errors import Corrupt, Rejected
from qsops.models import DEFAULT_METHOD, DEFAULT_RETRIES, Callback, CancelFilter, FlowControl, Message
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.query import Parameters, encode_query
from qsops.wire.values import (
    body_fields,
    body_of,
    header_map,
    headers_of,
    json_answer,
    json_body,
    number,
    present,
    text,
    texts_of,
)

__all__ = [
    "CANCEL_LIMIT",
    "MESSAGES_PATH",
    "bulk_cancel_request",
    "cancel_request",
    "flow_control_fields",
    "flow_control_of",
    "message_json",
    "message_request",
    "parse_bulk_cancel",
    "parse_cancelled",
    "parse_message",
    "parse_message_response",
]

MESSAGES_PATH = "/v2/messages"
#: How many messages one bulk cancel takes at the most.
CANCEL_LIMIT = 500

_FILTERS = {
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
_PARAMETERS = (*_FILTERS.values(), "messageIds", "callerIP", "fromDate", "toDate", "count")


def message_json(message: Message) -> dict[str, Any]:
    """``message`` as QStash shows it; what is not set is absent."""
    callback, failure = message.callback, message.failure_callback
    fields = {
        "messageId": message.message_id,
        "url": message.url,
        "topicName": message.url_group,
        "endpointName": message.endpoint,
        "method": message.method,
        "header": header_map(message.headers),
        "maxRetries": message.max_retries,
        "notBefore": message.not_before_ms,
        "createdAt": message.created_at_ms,
        "callback": callback and callback.url,
        "callbackHeader": callback and header_map(callback.headers),
        "failureCallback": failure and failure.url,
        "failureCallbackHeader": failure and header_map(failure.headers),
        "queueName": message.queue,
        "scheduleId": message.schedule_id,
        "callerIP": message.caller_ip,
        "label": message.labels[0] if message.labels else None,
        "labels": list(message.labels) or None,
        "retryDelayExpression": message.retry_delay,
        "timeout": None if message.timeout_s is None else message.timeout_s * 1000,
        **body_fields(message.body),
        **flow_control_fields(message.flow_control),
    }
    return present(fields)


def parse_message(fields: Any) -> Message:
    """A message of its JSON; absent fields take QStash's defaults. :raises Corrupt: without messageId and url."""
    if not isinstance(fields, Mapping) or not text(fields.get("messageId")):
        raise Corrupt(f"QStash answered with something that is no message: {str(fields)[:80]!r}")
    retries = number(fields.get("maxRetries"))
    timeout_ms = number(fields.get("timeout"))
    created_at_ms = number(fields.get("createdAt")) or 0
    return Message(
        message_id=str(fields["messageId"]),
        url=text(fields.get("url")) or "",
        created_at_ms=created_at_ms,
        not_before_ms=number(fields.get("notBefore")) or created_at_ms,
        max_retries=DEFAULT_RETRIES if retries is None else retries,
        method=text(fields.get("method")) or DEFAULT_METHOD,
        headers=headers_of(fields.get("header")),
        body=body_of(fields),
        url_group=text(fields.get("topicName")) or text(fields.get("urlGroup")),
        endpoint=text(fields.get("endpointName")),
        queue=text(fields.get("queueName")),
        schedule_id=text(fields.get("scheduleId")),
        caller_ip=text(fields.get("callerIP")) or text(fields.get("callerIp")),
        labels=texts_of(fields.get("labels")) or texts_of(fields.get("label")),
        flow_control=flow_control_of(fields),
        retry_delay=text(fields.get("retryDelayExpression")) or text(fields.get("retryDelayExpr")),
        timeout_s=None if timeout_ms is None else timeout_ms // 1000,
        callback=_callback(fields, "callback"),
        failure_callback=_callback(fields, "failureCallback"),
    )


def parse_message_response(response: Response) -> Message:
    """The message of an answer. :raises Corrupt: when it is none."""
    return parse_message(json_answer(response))


def _callback(fields: Mapping[str, Any], name: str) -> Callback | None:
    url = text(fields.get(name))
    return None if url is None else Callback(url, headers=headers_of(fields.get(f"{name}Header")))


def flow_control_fields(flow: FlowControl | None) -> dict[str, Any]:
    """The key and its limits; those that were not given are absent, the period always there."""
    if flow is None:
        return {}
    return {"flowControlKey": flow.key, "parallelism": flow.parallelism, "rate": flow.rate, "period": flow.period_s}


def flow_control_of(fields: Mapping[str, Any]) -> FlowControl | None:
    """The opposite of :func:`flow_control_fields`."""
    key = text(fields.get("flowControlKey"))
    if key is None:
        return None
    return FlowControl(
        key, number(fields.get("parallelism")), number(fields.get("rate")), number(fields.get("period")) or 1
    )


def message_request(message_id: str) -> Request:
    """Read one message."""
    return Request("GET", f"{MESSAGES_PATH}/{_id(message_id)}")


def cancel_request(message_id: str) -> Request:
    """Cancel one message."""
    return Request("DELETE", f"{MESSAGES_PATH}/{_id(message_id)}")


def bulk_cancel_request(wanted: CancelFilter, count: int | None = None) -> Request:
    """Cancel the messages that ``wanted`` selects, ``count`` at the most.

    :raises Rejected: 400 for a filter that selects everything; QStash would cancel every message of the account.
    """
    if wanted == CancelFilter():
        raise Rejected(400, "a cancel without a filter would cancel everything: name what to cancel")
    if wanted.message_ids:
        return Request("DELETE", MESSAGES_PATH, encode_query([("messageIds", wanted.message_ids)]))
    named = [(name, getattr(wanted, field)) for field, name in _FILTERS.items()]
    dates = [("fromDate", wanted.from_ms), ("toDate", wanted.to_ms), ("count", count)]
    return Request("DELETE", MESSAGES_PATH, encode_query([*named, *dates]))


def parse_bulk_cancel(request: Request) -> tuple[CancelFilter, int | None]:
    """What a bulk cancel selects, by query or by a JSON body with ``messageIds``; nothing at all selects everything.

    :raises Rejected: 400 for an unknown parameter or a value that does not parse; nothing is cancelled then.
    """
    parameters = Parameters(request.query)
    parameters.allow_only(_PARAMETERS)
    ids = parameters.texts("messageIds") or ids_of_body(request, "messageIds")
    if ids is not None and ids != ():
        return CancelFilter(message_ids=ids), None
    many = {
        field: parameters.raw_texts(name) if field == "urls" else parameters.texts(name)
        for field, name in _FILTERS.items()
        if field != "caller_ips"
    }
    wanted = CancelFilter(
        **many,
        caller_ips=parameters.texts("callerIp", "callerIP"),
        from_ms=parameters.number("fromDate"),
        to_ms=parameters.number("toDate"),
    )
    return wanted, parameters.number("count", least=1, most=CANCEL_LIMIT)


def ids_of_body(request: Request, name: str) -> tuple[str, ...]:
    """Ids that the Python SDK sends as a JSON body. :raises Rejected: 400 when the body holds anything else.

    A body with an empty list is refused: it must not mean "all".
    """
    if not request.body.strip():
        return ()
    value = json_body(request.body)
    ids = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) and one for one in ids):
        raise Rejected(400, texts.invalid_body(f"{name} is a list of ids that is not empty"))
    return tuple(ids)


def parse_cancelled(response: Response) -> int:
    """How many messages were cancelled."""
    answer = json_answer(response)
    return (number(answer.get("cancelled")) or 0) if isinstance(answer, Mapping) else 0


def _id(value: str) -> str:
    if not value or "/" in value or "?" in value or "#" in value:
        # The official SDK sends an empty id to the bulk endpoint, which cancels everything.
        raise Rejected(400, f"{value!r} is no message id")
    return value
