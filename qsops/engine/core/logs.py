"""Reading the log: pages by the commit sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.core.finding import find_lines
from qsops.engine.core.pages import after, page_of
from qsops.engine.core.redaction import redacted
from qsops.engine.core.rows import MESSAGE_COLUMNS, MESSAGE_TABLES, decode_headers, message_of_row
from qsops.models import LogEntry, LogFilter, Message, Page

__all__ = ["entries_of", "read_logs"]

_LINE: Final = """
    select seq, message, time_ms, state, next_ms, status, error, response_headers, response_body from log where seq = ?
"""
_MESSAGE: Final = f"select {MESSAGE_COLUMNS} from {MESSAGE_TABLES} where m.seq = ?"


def read_logs(
    connection: Connection, account: int, wanted: LogFilter, *, cursor: str | None, limit: int
) -> Page[LogEntry]:
    """One page of the entries that match."""
    start = after(cursor, earliest_first=wanted.earliest_first)
    lines = find_lines(connection, account, wanted, start, limit + 1)
    return page_of(_rows(connection, lines), limit, lambda row: f"{row[2]}-{row[0]}", _entry)


def entries_of(connection: Connection, lines: Iterable[int]) -> tuple[LogEntry, ...]:
    """The entries of ``lines``."""
    return tuple(map(_entry, _rows(connection, lines)))


def _rows(connection: Connection, lines: Iterable[int]) -> Iterator[Sequence[Any]]:
    """The lines with what each repeats of its message, and how large that is; most messages have several in a page."""
    known: dict[int, tuple[dict[str, Any], bytes]] = {}
    for line in lines:
        row = connection.execute(_LINE, (line,)).fetchone()
        if row[1] not in known:
            message = redacted(message_of_row(connection.execute(_MESSAGE, (row[1],)).fetchone()))
            known[row[1]] = _facts(message), message.body
        yield (*row, *known[row[1]])


def _entry(row: Sequence[Any]) -> LogEntry:
    _, _, time_ms, state, next_ms, status, error, response_headers, response_body, facts, _ = row
    return LogEntry(
        time_ms=time_ms,
        state=state,
        next_delivery_ms=next_ms,
        response_status=status,
        error=error,
        response_headers=decode_headers(response_headers),
        response_body=response_body,
        **facts,
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
        "callback_headers": message.callback.headers if message.callback else (),
        "failure_callback": message.failure_callback.url if message.failure_callback else None,
        "failure_callback_headers": message.failure_callback.headers if message.failure_callback else (),
        "headers": message.headers,
        "body": message.body,
    }
