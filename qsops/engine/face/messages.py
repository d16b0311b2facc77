"""Messages: read, and taken back."""

from __future__ import annotations

from qsops.engine.core.pending import FIRST, Place, cancel, read_message
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
    return Response.of_json(200, {"cancelled": await _cancel(call, wanted, count)})


async def _cancel(call: Call, wanted: CancelFilter, count: int | None) -> int:
    """Cancel ``count`` messages, or without a count all that match, in transactions of a bounded size."""
    limit = CANCEL_LIMIT if count is None else count
    portion = await _cancel_portion(call, wanted, limit, FIRST)
    canceled = len(portion)
    while count is None and len(portion) == limit:
        portion = await _cancel_portion(call, wanted, limit, portion[-1])
        canceled += len(portion)
    call.engine.wake()
    return canceled


async def _cancel_portion(call: Call, wanted: CancelFilter, limit: int, after: Place) -> list[Place]:
    account, now_ms = call.account.number, call.engine.clock.now_ms()
    return await call.engine.database.submit(
        lambda connection: cancel(connection, account, wanted, limit, now_ms, after)
    )
