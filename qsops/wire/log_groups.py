"""The log by message: ``groupBy=messageId``, under which a page holds messages, each with its entries.

No document has the form of the answer; it is what the vendor's own MCP server reads (``src/tools/qstash/types.ts`` of
upstash/mcp-server).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qsops.errors import Corrupt
from qsops.models import LogEntry, Page
from qsops.wire.http import Request, Response
from qsops.wire.logs import log_json, parse_log
from qsops.wire.query import Parameters
from qsops.wire.values import cursor_of, json_answer, present

__all__ = ["GROUP_KINDS", "LOG_GROUPS_LIMIT", "is_grouped", "log_groups_json", "parse_log_groups"]

#: Messages of a page, by default and at the most (reference, section 2.9).
LOG_GROUPS_LIMIT: Final = 10

_GROUP_BY: Final = "groupBy"
#: What a listing can be grouped by.
GROUP_KINDS: Final = ("messageId",)


def is_grouped(request: Request) -> bool:
    """Whether a listing is to be by message.

    :raises Rejected: 400 for anything else to group by: the answer would have another form than was asked for.
    """
    return Parameters(request.query).choice(_GROUP_BY, GROUP_KINDS) is not None


def log_groups_json(page: Page[tuple[LogEntry, ...]]) -> dict[str, Any]:
    """A page of messages, each with its entries, none without one; the cursor is absent at the end."""
    groups = [
        {"messageId": entries[0].message_id, "events": [log_json(entry) for entry in entries]} for entries in page.items
    ]
    return {"messages": groups, **present({"cursor": page.cursor})}


def parse_log_groups(response: Response) -> Page[tuple[LogEntry, ...]]:
    """A page of messages, each with its entries.

    :raises Corrupt: when it is none.
    """
    answer = json_answer(response)
    if not isinstance(answer, Mapping) or not isinstance(answer.get("messages", 0), list | None):
        raise Corrupt("QStash answered a listing of the log by message without a list of 'messages'")
    return Page(tuple(map(_group, answer["messages"] or ())), cursor_of(answer))


def _group(fields: Any) -> tuple[LogEntry, ...]:
    events = fields.get("events") if isinstance(fields, Mapping) else None
    if not isinstance(events, list):
        raise Corrupt(f"QStash answered a message of the log without 'events': {str(fields)[:80]!r}")
    return tuple(map(parse_log, events))
