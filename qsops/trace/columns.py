"""Pages of the log as Arrow tables, read by the column: to make an object of each entry takes five times as long."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from qsops import frames
from qsops.wire.http import Response
from qsops.wire.logs import listed_logs, parse_log

__all__ = ["Sheet", "listed", "sheet_of", "table_of"]

_TEXTS: Final = {
    "message_id": "messageId",
    "state": "state",
    "url": "url",
    "url_group": "topicName",
    "endpoint": "endpointName",
    "queue": "queueName",
    "schedule_id": "scheduleId",
    "method": "method",
    "error": "error",
    "flow_control_key": "flowControlKey",
}
#: Under two spellings, of which the first counts if it says anything.
_TWICE: Final = {
    "retry_delay_expression": ("retryDelayExpression", "retryDelayExpr"),
    "caller_ip": ("callerIP", "callerIp"),
}
_NUMBERS: Final = {
    "time": "time",
    "next_delivery_at": "nextDeliveryTime",
    "response_status": "responseStatus",
    "max_retries": "maxRetries",
}
#: What an entry without them has.
_ALWAYS: Final[dict[str, Any]] = {"message_id": "", "state": "", "time": 0}


class _Unusual(Exception):
    """Something in the page is of another type than it should be."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of the log as a table of :data:`qsops.frames.ENTRIES`, in the listing's order; no cursor at its end."""

    table: pa.Table
    cursor: str | None

    @property
    def count(self) -> int:
        """How many entries it has."""
        return int(self.table.num_rows)

    @property
    def ends_ms(self) -> tuple[int, int]:
        """The time of its oldest entry, and of its newest."""
        ends = pc.min_max(self.table["time"].cast(pa.int64()))
        return ends["min"].as_py() // 1000, ends["max"].as_py() // 1000


def sheet_of(response: Response, *, bodies: bool) -> Sheet:
    """The page that ``response`` holds; with ``bodies``, or if anything in it is unusual, read entry by entry.

    :raises Corrupt: when it is no page of the log.
    """
    entries, cursor = listed(response)
    return Sheet(table_of(entries, bodies=bodies), cursor)


def listed(response: Response) -> tuple[list[Any], str | None]:
    """The entries of a page as their JSON says them, and its cursor.

    :raises Corrupt: when it is no page of the log.
    """
    return listed_logs(response, _loads)


def table_of(entries: Sequence[Any], *, bodies: bool) -> pa.Table:
    """Entries as a table of :data:`qsops.frames.ENTRIES`, in their order.

    :raises Corrupt: when one of them is no object.
    """
    try:
        table = None if bodies else _by_column(entries)
    except _Unusual:
        table = None
    return frames.entries(map(parse_log, entries), bodies=bodies) if table is None else table


def _loads(body: bytes) -> Any:
    """In a third of the time, but for what the faster one refuses, such as half of a surrogate pair."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def _by_column(entries: Sequence[Any]) -> pa.Table:
    if set(map(type, entries)) - {dict}:
        raise _Unusual
    read = {column: _texts(entries, name) for column, name in _TEXTS.items()}
    read |= {column: _of_either(entries, *names) for column, names in _TWICE.items()}
    read |= {column: _typed(entries, name, int) for column, name in _NUMBERS.items()}
    read |= {column: [value or least for value in read[column]] for column, least in _ALWAYS.items()}
    try:
        return frames.entry_table({**read, "labels": _labels(entries)})
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise _Unusual from error


def _typed(entries: Sequence[dict[str, Any]], name: str, kind: type) -> list[Any]:
    values = [entry.get(name) for entry in entries]
    if set(map(type, values)) - {kind, type(None)}:
        raise _Unusual
    return values


def _texts(entries: Sequence[dict[str, Any]], name: str) -> list[str | None]:
    """An empty text says nothing."""
    return [value or None for value in _typed(entries, name, str)]


def _of_either(entries: Sequence[dict[str, Any]], first: str, second: str) -> list[str | None]:
    both = zip(_texts(entries, first), _texts(entries, second), strict=True)
    return [one or other for one, other in both]


def _labels(entries: Sequence[dict[str, Any]]) -> list[str | None]:
    both = zip(_typed(entries, "labels", list), _texts(entries, "label"), strict=True)
    try:
        return [(",".join(many) if many else one) or None for many, one in both]
    except TypeError as error:
        raise _Unusual from error
