"""Queues: made, changed, read, paused, resumed and deleted."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection

from qsops.engine.core.controls import delete_queue, pause_queue, resume_queue, upsert_queue
from qsops.engine.core.queues import queue_named, queues
from qsops.engine.face.call import Call
from qsops.errors import Rejected
from qsops.wire import texts
from qsops.wire.http import Response
from qsops.wire.query import refuse_parameters
from qsops.wire.queues import parse_queue_name, parse_queue_upsert, queue_json, queues_json

__all__ = ["delete", "get", "list_all", "pause", "resume", "upsert"]


async def upsert(call: Call) -> Response:
    """``POST /v2/queues``."""
    spec, engine, now_ms = parse_queue_upsert(call.request), call.engine, call.engine.clock.now_ms()
    await engine.database.submit(
        lambda connection: upsert_queue(connection, call.account.number, spec, now_ms, engine.plan, engine.in_flight)
    )
    engine.wake()
    return Response.of_json(200, {})


async def list_all(call: Call) -> Response:
    """``GET /v2/queues``."""
    refuse_parameters(call.request)
    found = call.engine.database.read(lambda connection: queues(connection, call.account.number))
    return Response.of_json(200, queues_json(found))


async def get(call: Call) -> Response:
    """``GET /v2/queues/{name}``."""
    name = parse_queue_name(call.request)
    queue = call.engine.database.read(lambda connection: queue_named(connection, call.account.number, name))
    if queue is None:
        raise Rejected(404, texts.queue_not_found(name))
    return Response.of_json(200, queue_json(queue))


async def delete(call: Call) -> Response:
    """``DELETE /v2/queues/{name}``: a success also where there is none, as the documents have it."""
    name, now_ms = parse_queue_name(call.request), call.engine.clock.now_ms()
    await call.engine.database.submit(lambda connection: delete_queue(connection, call.account.number, name, now_ms))
    call.engine.wake()
    return Response.of_json(200, {})


async def pause(call: Call) -> Response:
    """``POST /v2/queues/{name}/pause``."""
    name, now_ms, in_flight = parse_queue_name(call.request), call.engine.clock.now_ms(), call.engine.in_flight
    return await _change(
        call, name, lambda connection: pause_queue(connection, call.account.number, name, now_ms, in_flight)
    )


async def resume(call: Call) -> Response:
    """``POST /v2/queues/{name}/resume``."""
    name, now_ms = parse_queue_name(call.request), call.engine.clock.now_ms()
    return await _change(call, name, lambda connection: resume_queue(connection, call.account.number, name, now_ms))


async def _change(call: Call, name: str, change: Callable[[Connection], bool]) -> Response:
    if not await call.engine.database.submit(change):
        raise Rejected(404, texts.queue_not_found(name))
    call.engine.wake()
    return Response.of_json(200, {})
