"""Faults on purpose: set, listed and taken back while the engine runs. No part of QStash's API.

A query parameter is refused: whoever passes one means to narrow something, and it would concern all.
"""

from __future__ import annotations

from typing import Any

from qsops.engine.face.call import Call
from qsops.engine.faults.grammar import fault_json, fault_of_json, format_fault
from qsops.engine.faults.running import SetFault
from qsops.engine.texts import fault_not_found
from qsops.errors import Rejected, SettingsError
from qsops.wire import texts
from qsops.wire.http import Response
from qsops.wire.query import refuse_parameters
from qsops.wire.values import json_body

__all__ = ["add", "clear", "get", "list_all", "remove"]


async def list_all(call: Call) -> Response:
    """``GET /qsops/faults``: in the order they were set, those whose time is over among them."""
    refuse_parameters(call.request)
    return Response.of_json(200, {"faults": [_shown(call, found) for found in call.engine.faults.all()]})


async def add(call: Call) -> Response:
    """``POST /qsops/faults``: the fault in its words, or as text: ``{"fault": "503 30%"}``."""
    refuse_parameters(call.request)
    try:
        found = call.engine.faults.add(fault_of_json(json_body(call.request.body)))
    except SettingsError as error:
        raise Rejected(400, texts.invalid_body(str(error))) from error
    return Response.of_json(200, _shown(call, found))


async def clear(call: Call) -> Response:
    """``DELETE /qsops/faults``: all of them."""
    refuse_parameters(call.request)
    return Response.of_json(200, {"deleted": call.engine.faults.clear()})


async def get(call: Call) -> Response:
    """``GET /qsops/faults/{faultId}``."""
    refuse_parameters(call.request)
    found = call.engine.faults.get(call.argument)
    if found is None:
        raise Rejected(404, fault_not_found(call.argument))
    return Response.of_json(200, _shown(call, found))


async def remove(call: Call) -> Response:
    """``DELETE /qsops/faults/{faultId}``."""
    refuse_parameters(call.request)
    if not call.engine.faults.remove(call.argument):
        raise Rejected(404, fault_not_found(call.argument))
    return Response.of_json(200, {"deleted": 1})


def _shown(call: Call, found: SetFault) -> dict[str, Any]:
    return {
        "faultId": found.fault_id,
        "fault": format_fault(found.fault),
        "words": fault_json(found.fault),
        "setAt": found.set_at_ms,
        "state": found.state(call.engine.clock.now_ms()),
        "met": found.met,
    }
