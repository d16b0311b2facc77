"""Logs, under the path of the SDKs and the documented one."""

from __future__ import annotations

from typing import Final, Literal

from qsops.engine.core.log_groups import read_log_groups
from qsops.engine.core.logs import read_logs
from qsops.engine.face.call import Call
from qsops.models import LogEntry, LogFilter, Page
from qsops.wire.http import Response
from qsops.wire.log_groups import LOG_GROUPS_LIMIT, is_grouped, log_groups_json
from qsops.wire.logs import logs_json, parse_logs_request
from qsops.wire.trimming import parse_trim, trimmed_log

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
    grouped, size = is_grouped(call.request), parse_trim(call.request)
    most = LOG_GROUPS_LIMIT if grouped else PAGE_LIMIT[key]
    wanted, cursor, count = parse_logs_request(call.request, most)
    limit = most if count is None else count
    if grouped:
        return Response.of_json(200, log_groups_json(_groups(call, wanted, cursor, limit, size)))
    page = call.engine.database.read(
        lambda connection: read_logs(connection, call.account.number, wanted, cursor=cursor, limit=limit)
    )
    shown = tuple(trimmed_log(entry, size) for entry in page.items)
    return Response.of_json(200, logs_json(Page(shown, page.cursor), key))


def _groups(
    call: Call, wanted: LogFilter, cursor: str | None, limit: int, size: int | None
) -> Page[tuple[LogEntry, ...]]:
    page = call.engine.database.read(
        lambda connection: read_log_groups(connection, call.account.number, wanted, cursor=cursor, limit=limit)
    )
    return Page(tuple(tuple(trimmed_log(entry, size) for entry in group) for group in page.items), page.cursor)
