"""Flow control: keys read, paused, pinned and reset, and the parallelism of the whole account."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection

from qsops.engine.core.controls import pause_flow, pin_flow, reset_rate, resume_flow, unpin_flow
from qsops.engine.core.flow import flow_named, flows
from qsops.engine.face.call import Call
from qsops.errors import Rejected
from qsops.models import GlobalParallelism
from qsops.wire import texts
from qsops.wire.flow import (
    flow_key_json,
    flow_keys_json,
    global_parallelism_json,
    parse_flow_action,
    parse_flow_key_name,
    parse_flow_pin,
    parse_flow_search,
    parse_flow_unpin,
)
from qsops.wire.http import Response
from qsops.wire.query import refuse_parameters

__all__ = ["get", "global_parallelism", "list_all", "pause", "pin", "reset", "resume", "unpin"]


async def list_all(call: Call) -> Response:
    """``GET /v2/flowControl``."""
    search, now_ms = parse_flow_search(call.request), call.engine.clock.now_ms()
    found = call.engine.database.read(lambda connection: flows(connection, call.account.number, search, now_ms))
    return Response.of_json(200, flow_keys_json(found))


async def get(call: Call) -> Response:
    """``GET /v2/flowControl/{key}``."""
    key, now_ms = parse_flow_key_name(call.request), call.engine.clock.now_ms()
    found = call.engine.database.read(lambda connection: flow_named(connection, call.account.number, key, now_ms))
    if found is None:
        raise Rejected(404, texts.flow_key_not_found(key))
    return Response.of_json(200, flow_key_json(found))


async def pause(call: Call) -> Response:
    """``POST /v2/flowControl/{key}/pause``."""
    key, in_flight = parse_flow_action(call.request), call.engine.in_flight
    return await _change(call, key, lambda connection: pause_flow(connection, call.account.number, key, in_flight))


async def resume(call: Call) -> Response:
    """``POST /v2/flowControl/{key}/resume``."""
    key, now_ms = parse_flow_action(call.request), call.engine.clock.now_ms()
    return await _change(call, key, lambda connection: resume_flow(connection, call.account.number, key, now_ms))


async def pin(call: Call) -> Response:
    """``POST /v2/flowControl/{key}/pin``."""
    (key, limits), now_ms = parse_flow_pin(call.request), call.engine.clock.now_ms()
    return await _change(call, key, lambda connection: pin_flow(connection, call.account.number, key, limits, now_ms))


async def unpin(call: Call) -> Response:
    """``POST /v2/flowControl/{key}/unpin``."""
    key, limits = parse_flow_unpin(call.request)
    return await _change(call, key, lambda connection: unpin_flow(connection, call.account.number, key, limits))


async def reset(call: Call) -> Response:
    """``POST /v2/flowControl/{key}/resetRate``, and ``/reset``, as it was called before."""
    key, now_ms = parse_flow_action(call.request), call.engine.clock.now_ms()
    return await _change(call, key, lambda connection: reset_rate(connection, call.account.number, key, now_ms))


async def global_parallelism(call: Call) -> Response:
    """``GET /v2/globalParallelism``."""
    refuse_parameters(call.request)
    limit = call.engine.plan.global_parallelism
    count = sum(account == call.account.number for account in call.engine.in_flight.values())
    return Response.of_json(200, global_parallelism_json(GlobalParallelism(limit, count)))


async def _change(call: Call, key: str, change: Callable[[Connection], bool]) -> Response:
    if not await call.engine.database.submit(change):
        raise Rejected(404, texts.flow_key_not_found(key))
    call.engine.wake()
    return Response.of_json(200, {})
