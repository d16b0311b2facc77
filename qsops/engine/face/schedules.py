"""Schedules: made, read, paused, deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from sqlite3 import Connection

from qsops.engine.core.admission import check_size
from qsops.engine.core.redaction import redacted
from qsops.engine.core.schedules import (
    delete_schedule,
    pause_schedule,
    put_schedule,
    resume_schedule,
    schedule_of,
    schedules,
)
from qsops.engine.face.call import Call
from qsops.errors import Rejected
from qsops.models import Schedule
from qsops.wire import texts
from qsops.wire.http import Response
from qsops.wire.query import refuse_parameters
from qsops.wire.schedules import (
    parse_schedule_create,
    parse_schedule_id,
    schedule_created_json,
    schedule_json,
    schedules_json,
)

__all__ = ["create", "delete", "get", "list_all", "pause", "resume"]


async def create(call: Call) -> Response:
    """``POST /v2/schedules/{destination}``: a new one, or one in the place of the one that has its id."""
    engine, account = call.engine, call.account.number
    spec = parse_schedule_create(call.request)
    check_size(spec.publish, engine.plan)
    schedule_id = spec.schedule_id or engine.ids.make("scd_")
    now_ms, caller_ip, plan = engine.clock.now_ms(), call.caller_ip, engine.plan
    receipt = await engine.database.submit(
        lambda connection: put_schedule(
            connection, account, spec, schedule_id=schedule_id, caller_ip=caller_ip, now_ms=now_ms, plan=plan
        )
    )
    engine.wake()
    return Response.of_json(202 if receipt.deduplicated else 200, schedule_created_json(receipt.message_id))


async def list_all(call: Call) -> Response:
    """``GET /v2/schedules``."""
    refuse_parameters(call.request)
    found = call.engine.database.read(lambda connection: schedules(connection, call.account.number))
    return Response.of_json(200, schedules_json([*map(_shown, found)]))


async def get(call: Call) -> Response:
    """``GET /v2/schedules/{id}``."""
    schedule_id = parse_schedule_id(call.request)
    found = call.engine.database.read(lambda connection: schedule_of(connection, call.account.number, schedule_id))
    if found is None:
        raise Rejected(404, texts.schedule_not_found(schedule_id))
    return Response.of_json(200, schedule_json(_shown(found)))


async def delete(call: Call) -> Response:
    """``DELETE /v2/schedules/{id}``."""
    return await _change(call, delete_schedule)


async def pause(call: Call) -> Response:
    """``PATCH`` or ``POST /v2/schedules/{id}/pause``."""
    return await _change(call, pause_schedule)


async def resume(call: Call) -> Response:
    """``PATCH`` or ``POST /v2/schedules/{id}/resume``."""
    now_ms = call.engine.clock.now_ms()
    return await _change(
        call, lambda connection, account, schedule_id: resume_schedule(connection, account, schedule_id, now_ms)
    )


async def _change(call: Call, change: Callable[[Connection, int, str], bool]) -> Response:
    schedule_id, account = parse_schedule_id(call.request), call.account.number
    if not await call.engine.database.submit(lambda connection: change(connection, account, schedule_id)):
        raise Rejected(404, texts.schedule_not_found(schedule_id))
    call.engine.wake()
    return Response.of_json(200, {})


def _shown(schedule: Schedule) -> Schedule:
    return replace(schedule, publish=redacted(schedule.publish))
