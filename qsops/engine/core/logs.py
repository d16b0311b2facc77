"""Reading the log: pages by the commit sequence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.core.filters import Conditions, message_conditions
from qsops.engine.core.pages import after, page_of
from qsops.engine.core.redaction import redacted
from qsops.engine.core.rows import MESSAGE_COLUMNS, decode_headers, message_of_row
from qsops.models import LogEntry, LogFilter, Message, Page, State

__all__ = ["read_logs"]

_CHANGES = "l.seq, l.time_ms, l.state, l.next_ms, l.status, l.error, l.response_headers, l.response_body"
_SELECT = """
    select {changes}, {columns}
    from log l join messages m on m.seq = l.message
    where l.seq {beyond} :after and {conditions}
    order by l.seq {direction} limit :limit
"""
#: What a state filter means beyond itself (reference, sections 0.3 and 10).
_MEANT: Final = {
    State.IN_PROGRESS: (State.ACTIVE, State.RETRY, State.ERROR),
    "CANCELLED": (State.CANCELED,),
}


def read_logs(
    connection: Connection, account: int, wanted: LogFilter, *, cursor: str | None, limit: int
) -> Page[LogEntry]:
    """One page of the entries that match."""
    conditions = Conditions()
    _choose_way(conditions, account, wanted)
    _add_filters(conditions, wanted)
    query = _SELECT.format(
        changes=_CHANGES,
        columns=MESSAGE_COLUMNS,
        conditions=conditions.sql,
        beyond=">" if wanted.earliest_first else "<",
        direction="asc" if wanted.earliest_first else "desc",
    )
    start = after(cursor, earliest_first=wanted.earliest_first)
    known = {"after": start, "limit": limit + 1, **conditions.parameters}
    return page_of(connection.execute(query, known), limit, lambda row: f"{row[1]}-{row[0]}", _entry)


def _choose_way(conditions: Conditions, account: int, wanted: LogFilter) -> None:
    """How the rows are found: by message, by state, or along the log, which is the order of the page anyway.

    The planner would take the index of states for the account alone, and sort the whole log for each page; the plus
    sign keeps it from that.
    """
    states = [meant for state in wanted.states for meant in _MEANT.get(state, (state,))]
    if wanted.message_ids:
        conditions.where(
            "l.message in (select seq from messages where id in (select value from json_each(:ids)))",
            ids=json.dumps(wanted.message_ids),
        )
    elif len(states) == 1:
        conditions.where("l.account = :account and l.state = :state", account=account, state=states[0])
        return
    conditions.where("+l.account = :account", account=account)
    conditions.one_of("+l.state", "states", states)


def _add_filters(conditions: Conditions, wanted: LogFilter) -> None:
    message_conditions(conditions, wanted)
    conditions.between("l.time_ms", wanted.from_ms, wanted.to_ms)


def _entry(row: Sequence[Any]) -> LogEntry:
    _, time_ms, state, next_ms, status, error, response_headers, response_body, *columns = row
    message = redacted(message_of_row(columns))
    return LogEntry(
        time_ms=time_ms,
        state=state,
        next_delivery_ms=next_ms,
        response_status=status,
        error=error,
        response_headers=decode_headers(response_headers),
        response_body=response_body,
        **_facts(message),
    )


def _facts(message: Message) -> dict[str, Any]:
    """What every entry repeats of its message."""
    return {
        "message_id": message.message_id,
        "url": message.url,
        "url_group": message.url_group,
        "endpoint": message.endpoint,
        "queue": message.queue,
        "schedule_id": message.schedule_id,
        "labels": message.labels,
        "method": message.method,
        "max_retries": message.max_retries,
        "retry_delay": message.retry_delay,
        "flow_control": message.flow_control,
        "caller_ip": message.caller_ip,
        "timeout_ms": None if message.timeout_s is None else message.timeout_s * 1000,
        "callback": message.callback.url if message.callback else None,
        "failure_callback": message.failure_callback.url if message.failure_callback else None,
        "headers": message.headers,
        "body": message.body,
    }
