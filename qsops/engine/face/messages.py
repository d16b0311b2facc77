"""Messages: read, and taken back."""

from __future__ import annotations

from qsops.engine.core.pending import cancel, read_message
from qsops.engine.core.redaction import redacted
from qsops.engine.face.call import Call
from qsops.errors import Rejected
from qsops.models import CancelFilter
from qsops.wire import texts
from qsops.wire.http import Response
from qsops.wire.messages import CANCEL_LIMIT, message_json, parse_bulk_cancel

__all__ = ["cancel_many", "cancel_one", "get"]


async def get(call: Call) -> Response:
    """``GET /v2/messages/{id}``."""
    now_ms = call.engine.clock.now_ms()
    message = call.engine.database.read(
        lambda connection: read_message(connection, call.account.number, call.argument, now_ms)
    )
    if message is None:
        raise Rejected(404, texts.message_not_found(call.argument))
    return Response.of_json(200, message_json(redacted(message)))


async def cancel_one(call: Call) -> Response:
    """``DELETE /v2/messages/{id}``."""
    count = await _cancel(call, CancelFilter(message_ids=(call.argument,)), 1)
    if count == 0:
        raise Rejected(404, texts.message_not_found(call.argument))
    return Response.of_json(200, {"cancelled": count})


async def cancel_many(call: Call) -> Response:
    """``DELETE /v2/messages``: by ids, by filters, or all."""
    wanted, count = parse_bulk_cancel(call.request)
    canceled = last = await _cancel(call, wanted, count or CANCEL_LIMIT)
    while count is None and last == CANCEL_LIMIT:  # without a count it is all of them, a transaction at a time
        last = await _cancel(call, wanted, CANCEL_LIMIT)
        canceled += last
    return Response.of_json(200, {"cancelled": canceled})


async def _cancel(call: Call, wanted: CancelFilter, limit: int) -> int:
    now_ms = call.engine.clock.now_ms()
    canceled = await call.engine.database.submit(
        lambda connection: cancel(connection, call.account.number, wanted, limit, now_ms)
    )
    call.engine.wake()
    return canceled
