"""What travels as JSON, as schemas; a field that is not required is absent when it is not set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qsops.wire.values import present

__all__ = [
    "BOOLEAN",
    "COMPONENTS",
    "NUMBER",
    "TEXT",
    "TEXTS",
    "Schema",
    "choice",
    "list_of",
    "object_of",
    "ref",
    "whole",
]

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "integer", "minimum": 0}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}


def whole(least: int, most: int | None = None) -> Schema:
    """A whole number."""
    return present({"type": "integer", "minimum": least, "maximum": most})


def choice(*values: str) -> Schema:
    """One of some texts."""
    return {"type": "string", "enum": list(values)}


def list_of(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def ref(name: str) -> Schema:
    """One of :data:`COMPONENTS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(fields: Mapping[str, Schema], required: tuple[str, ...] = (), *, closed: bool = False) -> Schema:
    """An object; a ``closed`` one has no other fields."""
    known: dict[str, Any] = {"type": "object", "properties": dict(fields)}
    if required:
        known["required"] = list(required)
    if closed:
        known["additionalProperties"] = False
    return known


_HEADERS: Final[Schema] = {"type": "object", "additionalProperties": TEXTS}

#: What messages, dead letters, schedules and log entries have in common.
_SENDING: Final = {
    **dict.fromkeys(("topicName", "endpointName", "queueName", "scheduleId", "callerIP"), TEXT),
    **dict.fromkeys(("callback", "failureCallback", "label", "retryDelayExpression", "flowControlKey"), TEXT),
    **dict.fromkeys(("callbackHeader", "failureCallbackHeader", "header"), _HEADERS),
    **dict.fromkeys(("rate", "period", "parallelism"), NUMBER),
    "labels": TEXTS,
    "method": TEXT,
}
_MESSAGE: Final = {
    **_SENDING,
    **dict.fromkeys(("messageId", "url", "body", "bodyBase64"), TEXT),
    **dict.fromkeys(("maxRetries", "notBefore", "createdAt"), NUMBER),
}
_MESSAGE_ALWAYS: Final = ("messageId", "url", "method", "maxRetries", "notBefore", "createdAt")

_STATES: Final = ("CREATED", "ACTIVE", "RETRY", "ERROR", "DELIVERED", "FAILED", "CANCEL_REQUESTED", "CANCELED")
_LOG: Final = {
    **_SENDING,
    **dict.fromkeys(("messageId", "url", "error", "body", "responseBody", "retryDelayExpr"), TEXT),
    **dict.fromkeys(("time", "nextDeliveryTime", "responseStatus", "timeout", "maxRetries"), NUMBER),
    **dict.fromkeys(("responseHeader", "responseHeaders"), _HEADERS),
    "state": choice(*_STATES),
}

_SCHEDULE: Final = {
    **_SENDING,
    **dict.fromkeys(("cron", "destination", "body", "bodyBase64", "error", "callerIp"), TEXT),
    **dict.fromkeys(("createdAt", "retries", "delay", "timeout", "lastScheduleTime", "nextScheduleTime"), NUMBER),
    "isPaused": BOOLEAN,
    "lastScheduleStates": {"type": "object", "additionalProperties": choice("IN_PROGRESS", "SUCCESS", "FAIL")},
}

_FLOW_KEY: Final = {
    "flowControlKey": TEXT,
    **dict.fromkeys(("waitListSize", "parallelismMax", "parallelismCount", "rateMax", "rateCount"), NUMBER),
    **dict.fromkeys(("ratePeriod", "ratePeriodStart"), NUMBER),
    **dict.fromkeys(("isPaused", "isPinnedParallelism", "isPinnedRate"), BOOLEAN),
}

COMPONENTS: Final[Mapping[str, Schema]] = {
    "Error": object_of({"error": TEXT}, ("error",)),
    "Receipt": object_of({"messageId": TEXT, "url": TEXT, "deduplicated": BOOLEAN}, ("messageId",)),
    "Message": object_of(_MESSAGE, _MESSAGE_ALWAYS),
    "DeadLetter": object_of(
        {
            **_MESSAGE,
            **dict.fromkeys(("dlqId", "responseBody", "responseBodyBase64"), TEXT),
            "responseStatus": NUMBER,
            "responseHeader": _HEADERS,
        },
        (*_MESSAGE_ALWAYS, "dlqId", "responseStatus"),
    ),
    "LogEntry": object_of(_LOG, ("time", "messageId", "state", "url")),
    "SigningKeys": object_of({"current": TEXT, "next": TEXT}, ("current", "next")),
    "Queue": object_of(
        {
            "name": TEXT,
            **dict.fromkeys(("createdAt", "updatedAt", "parallelism", "lag"), NUMBER),
            "paused": BOOLEAN,
        },
        ("name", "createdAt", "updatedAt", "parallelism", "paused", "lag"),
    ),
    "Schedule": object_of(
        _SCHEDULE, ("scheduleId", "cron", "destination", "createdAt", "method", "retries", "isPaused")
    ),
    "Endpoint": object_of({"url": TEXT, "name": TEXT}, ("url",)),
    "UrlGroup": object_of(
        {
            "name": TEXT,
            **dict.fromkeys(("createdAt", "updatedAt"), NUMBER),
            "endpoints": list_of(ref("Endpoint")),
        },
        ("name", "createdAt", "updatedAt", "endpoints"),
    ),
    "FlowControlKey": object_of(_FLOW_KEY, ("flowControlKey", "waitListSize")),
    "GlobalParallelism": object_of(
        {"parallelismMax": NUMBER, "parallelismCount": NUMBER}, ("parallelismMax", "parallelismCount")
    ),
    "Waiter": object_of(
        {**dict.fromkeys(("url", "timeoutUrl", "timeoutBody"), TEXT), "deadline": NUMBER, "headers": _HEADERS},
        ("url", "deadline"),
    ),
    "Notified": object_of(
        {
            **dict.fromkeys(("messageId", "error", "workflowRunId"), TEXT),
            "waiter": ref("Waiter"),
            "deduplicated": BOOLEAN,
            "workflowCreatedAt": NUMBER,
        }
    ),
    "Triggered": object_of(
        {"workflowRunId": TEXT, "workflowCreatedAt": NUMBER, "deduplicated": BOOLEAN},
        ("workflowRunId", "workflowCreatedAt"),
    ),
}
