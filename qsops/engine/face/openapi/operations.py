"""What is told of each endpoint (reference, section 2), by method and path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from qsops.engine.face.logs import PAGE_LIMIT
from qsops.engine.face.openapi.gates import GATES
from qsops.engine.face.openapi.operation import ANYTHING, NOTHING, OPTIONS, Operation, ids_body, query
from qsops.engine.face.openapi.shapes import NUMBER, TEXT, Schema, list_of, object_of, ref
from qsops.wire.dlq import DLQ_LIMIT, DLQ_PARAMETERS
from qsops.wire.logs import LOGS_PARAMETERS
from qsops.wire.messages import CANCEL_LIMIT, CANCEL_PARAMETERS
from qsops.wire.publishing import BATCH_ITEMS_LIMIT

__all__ = ["OPERATIONS"]

_RECEIPTS: Final[Schema] = {"oneOf": [ref("Receipt"), list_of(ref("Receipt"))]}
_NULLABLE: Final[Schema] = {"type": ["string", "null"]}
_ITEM: Final = object_of(
    {
        "destination": TEXT,
        "body": _NULLABLE,
        "queue": _NULLABLE,
        "headers": {"type": "object", "additionalProperties": TEXT},
    },
    ("destination",),
)
_ITEM_ANSWER: Final[Schema] = {"oneOf": [ref("Receipt"), list_of(ref("Receipt")), ref("Error")]}

_PUBLISHING: Final = {
    ("POST", "/v2/publish/{destination}"): Operation(
        "Publish a message to a URL or a URL group", _RECEIPTS, OPTIONS, ANYTHING, (200, 202)
    ),
    ("POST", "/v2/enqueue/{queue}/{destination}"): Operation(
        "Put a message into a queue", _RECEIPTS, OPTIONS, ANYTHING, (200, 202)
    ),
    ("POST", "/v2/batch"): Operation(
        "Publish and enqueue many messages; each is accepted or refused by itself",
        list_of(_ITEM_ANSWER),
        body={**list_of(_ITEM), "maxItems": BATCH_ITEMS_LIMIT},
    ),
}

_MESSAGES: Final = {
    ("GET", "/v2/messages/{messageId}"): Operation("Read a pending message", ref("Message")),
    ("DELETE", "/v2/messages/{messageId}"): Operation("Cancel a message", object_of({"cancelled": NUMBER})),
    ("DELETE", "/v2/messages"): Operation(
        "Cancel messages by ids or filters; without any, all",
        object_of({"cancelled": NUMBER}, ("cancelled",)),
        query(*CANCEL_PARAMETERS, most=CANCEL_LIMIT),
        ids_body("messageIds"),
    ),
}


def _page(name: str, items: str) -> Schema:
    return object_of({name: list_of(ref(items)), "cursor": TEXT}, (name,))


_DLQ_QUERY: Final = query(*DLQ_PARAMETERS, most=DLQ_LIMIT)
_DLQ: Final = {
    ("GET", "/v2/dlq"): Operation("List dead letters", _page("messages", "DeadLetter"), _DLQ_QUERY),
    ("DELETE", "/v2/dlq"): Operation(
        "Delete a page of dead letters by ids or filters",
        object_of({"deleted": NUMBER, "cursor": TEXT}, ("deleted",)),
        _DLQ_QUERY,
        ids_body("dlqIds"),
    ),
    ("GET", "/v2/dlq/{dlqId}"): Operation("Read a dead letter", ref("DeadLetter")),
    ("DELETE", "/v2/dlq/{dlqId}"): Operation("Delete a dead letter", NOTHING),
    ("POST", "/v2/dlq/retry"): Operation(
        "Publish a page of dead letters anew, by ids or filters",
        object_of({"responses": list_of(ref("Receipt")), "cursor": TEXT}, ("responses",)),
        (*_DLQ_QUERY, *OPTIONS),
        ids_body("dlqIds"),
        (201,),
    ),
    ("POST", "/v2/dlq/retry/{dlqId}"): Operation(
        "Publish a dead letter anew", ref("Receipt"), OPTIONS, statuses=(201,)
    ),
}

_GROUP: Final = object_of({"messageId": TEXT, "events": list_of(ref("LogEntry"))}, ("messageId", "events"))
_GROUPS: Final = object_of({"messages": list_of(_GROUP), "cursor": TEXT}, ("messages",))


def _log(key: Literal["events", "logs"]) -> Operation:
    """A page of entries, or of messages where it is grouped by them."""
    answer: Schema = {"oneOf": [_page(key, "LogEntry"), _GROUPS]}
    return Operation("Read the log, newest first", answer, query(*LOGS_PARAMETERS, most=PAGE_LIMIT[key]))


_LOGS: Final = {("GET", "/v2/events"): _log("events"), ("GET", "/v2/logs"): _log("logs")}

_KEYS: Final = {
    ("GET", "/v2/keys"): Operation("Read the signing keys", ref("SigningKeys")),
    ("POST", "/v2/keys/rotate"): Operation("Make the next signing key the current one", ref("SigningKeys")),
}

_ANY_OBJECT: Final[Schema] = {"type": "object"}
#: The engine's own: faults on purpose.
_FAULTS: Final = {
    ("GET", "/qsops/status"): Operation("How this engine runs", _ANY_OBJECT),
    ("GET", "/qsops/faults"): Operation(
        "List the faults that were set", object_of({"faults": list_of(_ANY_OBJECT)}, ("faults",))
    ),
    ("POST", "/qsops/faults"): Operation(
        "Set a fault", _ANY_OBJECT, body=object_of({"fault": TEXT}, ("fault",)), statuses=(200, 201)
    ),
    ("DELETE", "/qsops/faults"): Operation("Take all faults back", object_of({"deleted": NUMBER}, ("deleted",))),
    ("GET", "/qsops/faults/{faultId}"): Operation("Read a fault", _ANY_OBJECT),
    ("DELETE", "/qsops/faults/{faultId}"): Operation("Take a fault back", object_of({"deleted": NUMBER}, ("deleted",))),
}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    **_PUBLISHING,
    **_MESSAGES,
    **_DLQ,
    **_LOGS,
    **_KEYS,
    **GATES,
    **_FAULTS,
}
