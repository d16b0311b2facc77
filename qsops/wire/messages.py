"""Messages as JSON, and the calls that read and cancel them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qsops.errors import Corrupt, SettingsError
from qsops.models import DEFAULT_METHOD, DEFAULT_RETRIES, Callback, CancelFilter, Message
from qsops.wire.http import Request, Response, path_id
from qsops.wire.query import Parameters, encode_query
from qsops.wire.values import (
    body_fields,
    body_of,
    flow_control_fields,
    flow_control_of,
    header_map,
    headers_of,
    json_answer,
    number,
    present,
    text,
    texts_of,
)

__all__ = [
    "CANCEL_LIMIT",
    "CANCEL_PARAMETERS",
    "MESSAGES_PATH",
    "bulk_cancel_request",
    "cancel_request",
    "message_json",
    "message_request",
    "parse_bulk_cancel",
    "parse_cancelled",
    "parse_message",
    "parse_message_response",
]

MESSAGES_PATH: Final = "/v2/messages"
#: How many messages one bulk cancel takes at the most.
CANCEL_LIMIT: Final = 500

_FILTERS: Final = {
    "urls": "url",
    "url_groups": "topicName",
    "queues": "queueName",
    "schedule_ids": "scheduleId",
    "labels": "label",
    "hosts": "host",
    "paths": "path",
    "flow_control_keys": "flowControlKey",
}
CANCEL_PARAMETERS: Final = (*_FILTERS.values(), "messageIds", "callerIp", "callerIP", "fromDate", "toDate", "count")


def message_json(message: Message) -> dict[str, Any]:
    """``message`` as QStash shows it; what is not set is absent (reference, section 2.4).

    Its timeout, what it redacts, and how its callbacks are to be sent have no place there.
    """
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
        **body_fields(message.body),
        **flow_control_fields(message.flow_control),
    }
    return present(fields)


def parse_message(fields: Any) -> Message:
    """A message of its JSON; absent fields take QStash's defaults.

    :raises Corrupt: when it is no object with a messageId.
    """
    if not isinstance(fields, Mapping) or not text(fields.get("messageId")):
        raise Corrupt(f"QStash answered with something that is no message: {str(fields)[:80]!r}")
    retries = number(fields.get("maxRetries"))
    created_at_ms = number(fields.get("createdAt")) or 0
    not_before_ms = number(fields.get("notBefore"))
    return Message(
        message_id=str(fields["messageId"]),
        url=text(fields.get("url")) or "",
        created_at_ms=created_at_ms,
        not_before_ms=created_at_ms if not_before_ms is None else not_before_ms,
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
        callback=_callback(fields, "callback"),
        failure_callback=_callback(fields, "failureCallback"),
    )


def parse_message_response(response: Response) -> Message:
    """The message of an answer.

    :raises Corrupt: when it is none.
    """
    return parse_message(json_answer(response))


def _callback(fields: Mapping[str, Any], name: str) -> Callback | None:
    url = text(fields.get(name))
    return None if url is None else Callback(url, headers=headers_of(fields.get(f"{name}Header")))


def message_request(message_id: str) -> Request:
    """Read one message."""
    return Request("GET", f"{MESSAGES_PATH}/{path_id(message_id)}")


def cancel_request(message_id: str) -> Request:
    """Cancel one message."""
    return Request("DELETE", f"{MESSAGES_PATH}/{path_id(message_id)}")


def bulk_cancel_request(wanted: CancelFilter, count: int | None = None) -> Request:
    """Cancel the messages that ``wanted`` selects, ``count`` at the most; with ids its other filters are ignored.

    :raises SettingsError: for a filter that selects everything; QStash would cancel every message of the account. Who
        means that says so with ``CancelFilter(from_ms=0)``.
    """
    if wanted == CancelFilter():
        raise SettingsError("a cancel without a filter would cancel everything: name what to cancel")
    if wanted.message_ids:
        return Request("DELETE", MESSAGES_PATH, encode_query([("messageIds", wanted.message_ids)]))
    named = [(name, getattr(wanted, field)) for field, name in _FILTERS.items()]
    rest = [("callerIp", wanted.caller_ips), ("fromDate", wanted.from_ms), ("toDate", wanted.to_ms), ("count", count)]
    return Request("DELETE", MESSAGES_PATH, encode_query([*named, *rest]))


def parse_bulk_cancel(request: Request) -> tuple[CancelFilter, int | None]:
    """What a bulk cancel selects, by query or by a JSON body with ``messageIds``; nothing at all selects everything.

    :raises Rejected: 400 for a parameter that is unknown, empty or does not parse; nothing is cancelled then.
    """
    parameters = Parameters.of_bulk(request, CANCEL_PARAMETERS, "messageIds")
    wanted = CancelFilter(**parameters.filters(_FILTERS))
    count = parameters.number("count", least=1, most=CANCEL_LIMIT)
    if ids := parameters.texts("messageIds"):
        return CancelFilter(message_ids=ids), None
    return wanted, count


def parse_cancelled(response: Response) -> int:
    """How many messages were cancelled.

    :raises Corrupt: when the answer does not say.
    """
    answer = json_answer(response)
    count = number(answer.get("cancelled")) if isinstance(answer, Mapping) else None
    if count is None:
        raise Corrupt("QStash answered a cancel without 'cancelled'")
    return count
