"""Schedules as JSON, and the calls that set them up, read, pause and delete them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qsops.errors import Corrupt
from qsops.models import DEFAULT_METHOD, DEFAULT_RETRIES, Callback, Publish, Schedule, ScheduleSpec
from qsops.wire.destinations import destination_of, target_of
from qsops.wire.http import Request, Response, path_id, path_step
from qsops.wire.names import check_name
from qsops.wire.options import decode_schedule, encode_schedule
from qsops.wire.query import refuse_parameters
from qsops.wire.values import (
    body_fields,
    body_of,
    flow_control_fields,
    flow_control_of,
    header_map,
    headers_of,
    json_answer,
    listed,
    number,
    present,
    text,
    texts_of,
)

__all__ = [
    "SCHEDULES_PATH",
    "parse_schedule",
    "parse_schedule_create",
    "parse_schedule_created",
    "parse_schedule_id",
    "parse_schedule_response",
    "parse_schedules",
    "schedule_create_request",
    "schedule_created_json",
    "schedule_delete_request",
    "schedule_json",
    "schedule_pause_request",
    "schedule_request",
    "schedule_resume_request",
    "schedules_json",
    "schedules_request",
]

SCHEDULES_PATH: Final = "/v2/schedules"

_ID_STEP: Final = SCHEDULES_PATH.count("/") + 1


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    """``schedule`` as QStash shows it; what is not set is absent (reference, section 2.6).

    ``header`` holds what the destination gets and nothing else: the JavaScript SDK compares it for equality. Delay and
    timeout are in seconds. How its callbacks are to be sent has no place there, nor what it redacts.
    """
    publish, states = schedule.publish, dict(schedule.last_states)
    callback, failure = publish.callback, publish.failure_callback
    fields = {
        "header": header_map(publish.headers),
        "delay": publish.delay_s,
        "timeout": publish.timeout_s,
        "callback": callback and callback.url,
        "callbackHeader": callback and header_map(callback.headers),
        "failureCallback": failure and failure.url,
        "failureCallbackHeader": failure and header_map(failure.headers),
        # The documents and the SDKs differ in the last letter.
        "callerIP": schedule.caller_ip,
        "callerIp": schedule.caller_ip,
        "queueName": publish.queue,
        "retryDelayExpression": publish.retry_delay,
        "label": publish.labels[0] if publish.labels else None,
        "labels": list(publish.labels) or None,
        "lastScheduleTime": schedule.last_at_ms,
        "nextScheduleTime": schedule.next_at_ms,
        "lastScheduleStates": states,
        "error": schedule.error,
        **body_fields(publish.body),
        **flow_control_fields(publish.flow_control),
    }
    always = {
        "scheduleId": schedule.schedule_id,
        "cron": schedule.cron,
        "destination": publish.destination,
        "createdAt": schedule.created_at_ms,
        "method": publish.method,
        "retries": DEFAULT_RETRIES if publish.retries is None else publish.retries,
        "isPaused": schedule.paused,
    }
    return {**always, **present(fields)}


def parse_schedule(fields: Any) -> Schedule:
    """A schedule of its JSON.

    :raises Corrupt: when it is no object with a scheduleId.
    """
    if not isinstance(fields, Mapping) or not text(fields.get("scheduleId")):
        raise Corrupt(f"QStash answered with something that is no schedule: {str(fields)[:80]!r}")
    states = fields.get("lastScheduleStates")
    last_states = states.items() if isinstance(states, Mapping) else ()
    return Schedule(
        schedule_id=str(fields["scheduleId"]),
        cron=text(fields.get("cron")) or "",
        publish=_publish(fields),
        created_at_ms=number(fields.get("createdAt")) or 0,
        caller_ip=text(fields.get("callerIP")) or text(fields.get("callerIp")),
        paused=fields.get("isPaused") is True,
        last_at_ms=number(fields.get("lastScheduleTime")),
        next_at_ms=number(fields.get("nextScheduleTime")),
        last_states=tuple((str(message_id), str(state)) for message_id, state in last_states),
        error=text(fields.get("error")),
    )


def _publish(fields: Mapping[str, Any]) -> Publish:
    return Publish(
        destination=text(fields.get("destination")) or "",
        body=body_of(fields),
        method=text(fields.get("method")) or DEFAULT_METHOD,
        headers=headers_of(fields.get("header")),
        delay_s=number(fields.get("delay")),
        timeout_s=number(fields.get("timeout")),
        retries=number(fields.get("retries")),
        retry_delay=text(fields.get("retryDelayExpression")),
        callback=_callback(fields, "callback"),
        failure_callback=_callback(fields, "failureCallback"),
        labels=texts_of(fields.get("labels")) or texts_of(fields.get("label")),
        queue=text(fields.get("queueName")),
        flow_control=flow_control_of(fields),
    )


def _callback(fields: Mapping[str, Any], name: str) -> Callback | None:
    url = text(fields.get(name))
    return None if url is None else Callback(url, headers=headers_of(fields.get(f"{name}Header")))


def schedules_json(schedules: Sequence[Schedule]) -> list[dict[str, Any]]:
    """All schedules: a bare array."""
    return [schedule_json(schedule) for schedule in schedules]


def parse_schedules(response: Response) -> tuple[Schedule, ...]:
    """The schedules of an answer.

    :raises Corrupt: when it is no list of them.
    """
    return tuple(map(parse_schedule, listed(response, "the schedules")))


def parse_schedule_response(response: Response) -> Schedule:
    """The schedule of an answer.

    :raises Corrupt: when it is none.
    """
    return parse_schedule(json_answer(response))


def schedule_created_json(schedule_id: str) -> dict[str, str]:
    """The answer to who made or overwrote a schedule."""
    return {"scheduleId": schedule_id}


def parse_schedule_created(response: Response) -> str:
    """The id of the schedule that was made.

    :raises Corrupt: when the answer names none.
    """
    answer = json_answer(response)
    schedule_id = text(answer.get("scheduleId")) if isinstance(answer, Mapping) else None
    if schedule_id is None:
        raise Corrupt("QStash answered a new schedule without a scheduleId")
    return schedule_id


def schedule_create_request(spec: ScheduleSpec) -> Request:
    """Make a schedule, or replace all of the one that has the id.

    :raises SettingsError: the destination has parameters that QStash would take for its own.
    """
    path, query = target_of(spec.publish.destination)
    return Request("POST", f"{SCHEDULES_PATH}/{path}", query, encode_schedule(spec), spec.publish.body)


def schedules_request() -> Request:
    """Read all schedules."""
    return Request("GET", SCHEDULES_PATH)


def schedule_request(schedule_id: str) -> Request:
    """Read one schedule."""
    return Request("GET", _path(schedule_id))


def schedule_delete_request(schedule_id: str) -> Request:
    """Delete one schedule; messages that it made go on."""
    return Request("DELETE", _path(schedule_id))


def schedule_pause_request(schedule_id: str) -> Request:
    """Skip what falls due from now on. The SDKs say PATCH, the document POST (reference, section 0.5)."""
    return Request("PATCH", f"{_path(schedule_id)}/pause")


def schedule_resume_request(schedule_id: str) -> Request:
    """Go on with what falls due next."""
    return Request("PATCH", f"{_path(schedule_id)}/resume")


def parse_schedule_create(request: Request) -> ScheduleSpec:
    """The schedule that a request makes or overwrites.

    Its destination is the rest of the path and of the query, as they are spelled on the wire.

    :raises Rejected: 400, naming the header and its value.
    """
    destination = destination_of(request.path.removeprefix(f"{SCHEDULES_PATH}/"), request.query)
    return decode_schedule(destination, request.headers, request.body, request.query)


def parse_schedule_id(request: Request) -> str:
    """The schedule that a request about one of them names.

    :raises Rejected: 400 for an id that no schedule may have, and for a parameter.
    """
    refuse_parameters(request)
    return check_name("schedule", path_step(request.path, _ID_STEP))


def _path(schedule_id: str) -> str:
    return f"{SCHEDULES_PATH}/{path_id(schedule_id)}"
