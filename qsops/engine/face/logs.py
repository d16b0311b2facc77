"""Logs, under the path of the SDKs and the documented one."""

from __future__ import annotations

from typing import Final, Literal

from qsops.engine.core.logs import read_logs
from qsops.engine.face.call import Call
from qsops.engine.texts import count_out_of_range
from qsops.errors import Rejected
from qsops.wire.http import Response
from qsops.wire.logs import logs_json, parse_logs_request

__all__ = ["PAGE_LIMIT", "events", "logs"]

#: Default and most (reference, section 2.9): the SDKs' path pages by 1,000, the documented one by 100.
PAGE_LIMIT: Final = {"events": 1_000, "logs": 100}


async def events(call: Call) -> Response:
    """``GET /v2/events``."""
    return _page(call, "events")


async def logs(call: Call) -> Response:
    """``GET /v2/logs``."""
    return _page(call, "logs")


def _page(call: Call, key: Literal["events", "logs"]) -> Response:
    wanted, cursor, count = parse_logs_request(call.request)
    limit = PAGE_LIMIT[key] if count is None else count
    if not 1 <= limit <= PAGE_LIMIT[key]:
        raise Rejected(400, count_out_of_range(limit, PAGE_LIMIT[key]))
    page = call.engine.database.read(
        lambda connection: read_logs(connection, call.account.number, wanted, cursor=cursor, limit=limit)
    )
    return Response.of_json(200, logs_json(page, key))
