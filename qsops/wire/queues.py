"""Queues as JSON, and the calls that set them up, read, pause and delete them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qsops.errors import Corrupt
from qsops.models import Queue, QueueSpec
from qsops.wire.fields import asked_flag, asked_whole, body_object, needed_text
from qsops.wire.http import Request, Response, path_id, path_step
from qsops.wire.names import check_name
from qsops.wire.query import refuse_parameters
from qsops.wire.values import json_answer, listed, number, present, text

__all__ = [
    "QUEUES_PATH",
    "parse_queue",
    "parse_queue_name",
    "parse_queue_response",
    "parse_queue_upsert",
    "parse_queues",
    "queue_delete_request",
    "queue_json",
    "queue_pause_request",
    "queue_request",
    "queue_resume_request",
    "queue_upsert_request",
    "queues_json",
    "queues_request",
]

QUEUES_PATH: Final = "/v2/queues"

_NAME_STEP: Final = QUEUES_PATH.count("/") + 1
#: More consumers than any plan has; the plan's own limit is the engine's business.
_MOST_PARALLELISM: Final = 1_000_000


def queue_json(queue: Queue) -> dict[str, Any]:
    """``queue`` as QStash shows it; the Python SDK demands all six (reference, section 2.5)."""
    return {
        "name": queue.name,
        "createdAt": queue.created_at_ms,
        "updatedAt": queue.updated_at_ms,
        "parallelism": queue.parallelism,
        "paused": queue.paused,
        "lag": queue.lag,
    }


def parse_queue(fields: Any) -> Queue:
    """A queue of its JSON.

    :raises Corrupt: when it is no object with a name.
    """
    if not isinstance(fields, Mapping) or not text(fields.get("name")):
        raise Corrupt(f"QStash answered with something that is no queue: {str(fields)[:80]!r}")
    return Queue(
        name=str(fields["name"]),
        created_at_ms=number(fields.get("createdAt")) or 0,
        updated_at_ms=number(fields.get("updatedAt")) or 0,
        parallelism=number(fields.get("parallelism")) or 1,
        paused=fields.get("paused") is True,
        lag=number(fields.get("lag")) or 0,
    )


def queues_json(queues: Sequence[Queue]) -> list[dict[str, Any]]:
    """All queues: a bare array."""
    return [queue_json(queue) for queue in queues]


def parse_queues(response: Response) -> tuple[Queue, ...]:
    """The queues of an answer.

    :raises Corrupt: when it is no list of queues.
    """
    return tuple(map(parse_queue, listed(response, "the queues")))


def parse_queue_response(response: Response) -> Queue:
    """The queue of an answer.

    :raises Corrupt: when it is none.
    """
    return parse_queue(json_answer(response))


def queue_upsert_request(spec: QueueSpec) -> Request:
    """Make a queue, or change it."""
    fields = {"queueName": spec.name, "parallelism": spec.parallelism, "paused": spec.paused}
    return Request.of_json("POST", QUEUES_PATH, present(fields))


def queues_request() -> Request:
    """Read all queues."""
    return Request("GET", QUEUES_PATH)


def queue_request(name: str) -> Request:
    """Read one queue."""
    return Request("GET", _path(name))


def queue_delete_request(name: str) -> Request:
    """Delete one queue."""
    return Request("DELETE", _path(name))


def queue_pause_request(name: str) -> Request:
    """Deliver none of its messages from now on."""
    return Request("POST", f"{_path(name)}/pause")


def queue_resume_request(name: str) -> Request:
    """Go on with the earliest."""
    return Request("POST", f"{_path(name)}/resume")


def parse_queue_upsert(request: Request) -> QueueSpec:
    """The queue that a request makes or changes; both SDKs send ``paused``, which the documents leave out.

    :raises Rejected: 400, naming the parameter, field or name.
    """
    refuse_parameters(request)
    fields = body_object(request.body)
    return QueueSpec(
        name=check_name("queue", needed_text(fields, "queueName")),
        parallelism=asked_whole(fields, "parallelism", least=1, most=_MOST_PARALLELISM) or 1,
        paused=asked_flag(fields, "paused"),
    )


def parse_queue_name(request: Request) -> str:
    """The queue that a request about one of them names.

    :raises Rejected: 400 for a name that no queue may have, and for a parameter.
    """
    refuse_parameters(request)
    return check_name("queue", path_step(request.path, _NAME_STEP))


def _path(name: str) -> str:
    return f"{QUEUES_PATH}/{path_id(name)}"
