"""Waiting for an event and notifying of one, as QStash's Workflow does it: waits, waiters and notifications as JSON.

Source: the Workflow API's document, and what its JavaScript SDK sends (reference, section 13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qsops.errors import Corrupt
from qsops.models import Notification, Notified, Step, Waiter, WaitSpec
from qsops.wire.http import Request, Response, path_id, path_rest
from qsops.wire.query import refuse_parameters
from qsops.wire.values import (
    header_map,
    headers_of,
    json_answer,
    listed,
    number,
    present,
    text,
    to_base64,
    unbase64,
)
from qsops.wire.waits import RUN_ID, checked_event, decode_wait, kept_headers

__all__ = [
    "NOTIFY_PATH",
    "WAITERS_PATH",
    "WAIT_PATH",
    "notified_json",
    "notify_request",
    "parse_notified",
    "parse_notify",
    "parse_wait",
    "parse_waiters",
    "parse_waiters_request",
    "wait_request",
    "waiter_json",
    "waiters_json",
    "waiters_request",
]

WAIT_PATH: Final = "/v2/wait"
WAITERS_PATH: Final = "/v2/waiters"
NOTIFY_PATH: Final = "/v2/notify"


def wait_request(spec: WaitSpec) -> Request:
    """Wait for an event. ``headers`` of ``spec`` are the request's own; the run's id goes with them."""
    fields = {
        "url": spec.url,
        "timeout": f"{spec.timeout_s}s",
        "timeoutUrl": spec.timeout_url,
        "timeoutBody": None if spec.timeout_body is None else to_base64(spec.timeout_body),
        "timeoutHeaders": header_map(spec.timeout_headers),
        "step": spec.step and _step_json(spec.step),
    }
    request = Request.of_json("POST", f"{WAIT_PATH}/{path_id(spec.event)}", present(fields))
    run = () if spec.run_id is None else ((RUN_ID, spec.run_id),)
    content = () if any(name.lower() == "content-type" for name, _ in spec.headers) else request.headers
    return Request(request.method, request.path, headers=(*content, *spec.headers, *run), body=request.body)


def _step_json(step: Step) -> dict[str, Any]:
    fields = {
        "stepId": step.step_id,
        "stepType": step.step_type,
        "stepName": step.step_name,
        "concurrent": step.concurrent,
        "targetStep": step.target_step,
    }
    return present(fields)


def parse_wait(request: Request) -> WaitSpec:
    """The wait that a request asks for.

    :raises Rejected: 400, naming the parameter, field or event.
    """
    refuse_parameters(request)
    event = checked_event(path_rest(request.path, WAIT_PATH))
    return decode_wait(event, kept_headers(request.headers), request.body)


def waiter_json(waiter: Waiter) -> dict[str, Any]:
    """``waiter`` as QStash shows it; its run and step have no place there."""
    fields = {
        "timeoutUrl": waiter.timeout_url,
        "timeoutBody": None if waiter.timeout_body is None else to_base64(waiter.timeout_body),
        "timeoutHeaders": header_map(waiter.timeout_headers),
    }
    always = {"url": waiter.url, "deadline": waiter.deadline_s, "headers": header_map(waiter.headers)}
    return {**always, **present(fields)}


def _waiter(fields: Any) -> Waiter:
    if not isinstance(fields, Mapping) or not text(fields.get("url")):
        raise Corrupt(f"QStash answered with something that is no waiter: {str(fields)[:80]!r}")
    body = fields.get("timeoutBody")
    return Waiter(
        url=str(fields["url"]),
        deadline_s=number(fields.get("deadline")) or 0,
        headers=headers_of(fields.get("headers")),
        timeout_url=text(fields.get("timeoutUrl")),
        timeout_body=unbase64(body) if isinstance(body, str) else None,
        timeout_headers=headers_of(fields.get("timeoutHeaders")),
    )


def waiters_json(waiters: Sequence[Waiter]) -> list[dict[str, Any]]:
    """All who wait for an event: a bare array, empty where nobody does."""
    return [waiter_json(waiter) for waiter in waiters]


def waiters_request(event: str) -> Request:
    """Read who waits for an event."""
    return Request("GET", f"{WAITERS_PATH}/{path_id(event)}")


def parse_waiters_request(request: Request) -> str:
    """The event whose waiters a request reads; it may be any text, slashes included.

    :raises Rejected: 400 for an event that there cannot be, and for a parameter.
    """
    refuse_parameters(request)
    return checked_event(path_rest(request.path, WAITERS_PATH))


def parse_waiters(response: Response) -> tuple[Waiter, ...]:
    """The waiters of an answer.

    :raises Corrupt: when it is no list of them.
    """
    return tuple(map(_waiter, listed(response, "waiters")))


def notify_request(notification: Notification) -> Request:
    """Tell of an event: all who wait for it, or one run."""
    run = "" if notification.run_id is None else f"{path_id(notification.run_id)}/"
    return Request("POST", f"{NOTIFY_PATH}/{run}{path_id(notification.event)}", body=notification.body)


def parse_notify(request: Request) -> Notification:
    """The event that a request tells of. Where the path has two steps, the first is the id of the run.

    :raises Rejected: 400 for an event or a run that there cannot be, and for a parameter.
    """
    refuse_parameters(request)
    first, slash, _ = request.path.removeprefix(f"{NOTIFY_PATH}/").partition("/")
    if not slash:
        return Notification(checked_event(path_rest(request.path, NOTIFY_PATH)), request.body)
    run_id = checked_event(path_rest(f"/{first}", ""))
    return Notification(checked_event(path_rest(request.path, f"{NOTIFY_PATH}/{first}")), request.body, run_id)


def notified_json(notified: Sequence[Notified], *, run: bool) -> Any:
    """An array of what was done to each waiter; a single object where ``run`` was notified."""
    items = [_notified_fields(one) for one in notified]
    return items[0] if run else items


def _notified_fields(notified: Notified) -> dict[str, Any]:
    fields = {
        "waiter": notified.waiter and waiter_json(notified.waiter),
        "messageId": notified.message_id,
        "deduplicated": notified.deduplicated or None,
        "error": notified.error,
        "workflowRunId": notified.run_id,
        "workflowCreatedAt": notified.run_created_at_ms,
    }
    return present(fields)


def parse_notified(response: Response) -> tuple[Notified, ...]:
    """What a notification did, of either form; an answer for one run is one item.

    :raises Corrupt: when it is neither a list nor an object.
    """
    answer = json_answer(response)
    return tuple(map(_notified, [answer] if isinstance(answer, Mapping) else listed(response, "notified waiters")))


def _notified(fields: Any) -> Notified:
    if not isinstance(fields, Mapping):
        raise Corrupt(f"QStash answered a notification with something else: {str(fields)[:80]!r}")
    waiter = fields.get("waiter")
    return Notified(
        waiter=_waiter(waiter) if isinstance(waiter, Mapping) and text(waiter.get("url")) else None,
        message_id=text(fields.get("messageId")),
        deduplicated=fields.get("deduplicated") is True,
        error=text(fields.get("error")),
        run_id=text(fields.get("workflowRunId")),
        run_created_at_ms=number(fields.get("workflowCreatedAt")),
    )
