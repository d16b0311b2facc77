"""Pages of the log as Arrow tables, read by the column: an object of each entry, with all it says, takes far longer.

msgspec reads of each entry what has a column, and passes over the rest. A page in which anything is of another type
than it should be is read entry by entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from qsops import frames
from qsops.wire.http import Response
from qsops.wire.logs import listed_logs, parse_log

__all__ = ["Sheet", "listed", "quick_sheet_of", "sheet_of", "table_of"]


class _Entry(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """What has a column, as it is spelled on the wire. Thousands are made for a page, and none is in a circle."""

    time: int | None = None
    message_id: str | None = None
    state: str | None = None
    url: str | None = None
    topic_name: str | None = None
    endpoint_name: str | None = None
    queue_name: str | None = None
    schedule_id: str | None = None
    method: str | None = None
    response_status: int | None = None
    error: str | None = None
    next_delivery_time: int | None = None
    max_retries: int | None = None
    flow_control_key: str | None = None
    labels: list[str] | None = None
    label: str | None = None
    # Under two spellings, of which the first counts if it says anything.
    retry_delay_expression: str | None = None
    retry_delay_expr: str | None = None
    caller_ip: str | None = msgspec.field(name="callerIP", default=None)
    caller_ip_lower: str | None = msgspec.field(name="callerIp", default=None)


class _Page(msgspec.Struct, frozen=True):
    """Either shape of a listing."""

    events: list[_Entry] | None = None
    logs: list[_Entry] | None = None
    cursor: str | int | None = None


_page_of: Final = msgspec.json.Decoder(_Page).decode
#: The column of a field of another name.
_RENAMED: Final = {
    "topic_name": "url_group",
    "endpoint_name": "endpoint",
    "queue_name": "queue",
    "next_delivery_time": "next_delivery_at",
}
#: What an entry without them has.
_ALWAYS: Final[dict[str, Any]] = {"message_id": "", "state": "", "time": 0}


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
    sheet = None if bodies else quick_sheet_of(response)
    if sheet is not None:
        return sheet
    entries, cursor = listed(response)
    return Sheet(table_of(entries, bodies=bodies), cursor)


def quick_sheet_of(response: Response) -> Sheet | None:
    """The page that ``response`` holds, without bodies; None if there is anything unusual in it."""
    try:
        page = _page_of(response.body)
    except (ValueError, RecursionError):
        return None
    entries = page.logs if page.events is None else page.events
    if entries is None:
        return None
    try:
        table = frames.entry_table(_columns(entries))
    except (pa.ArrowException, OverflowError, UnicodeError):
        return None
    return Sheet(table, None if page.cursor in (None, "") else str(page.cursor))


def listed(response: Response) -> tuple[list[Any], str | None]:
    """The entries of a page as their JSON says them, and its cursor.

    :raises Corrupt: when it is no page of the log.
    """
    return listed_logs(response, _loads)


def table_of(entries: Iterable[Any], *, bodies: bool) -> pa.Table:
    """Entries as a table of :data:`qsops.frames.ENTRIES`, in their order.

    :raises Corrupt: when one of them is no object.
    """
    return frames.entries(map(parse_log, entries), bodies=bodies)


def _loads(body: bytes) -> Any:
    """In a third of the time, but for what the faster one refuses, such as half of a surrogate pair."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def _columns(entries: Sequence[_Entry]) -> dict[str, Sequence[Any]]:
    """The columns of :data:`qsops.frames.ENTRIES`; an empty text says nothing."""
    names = _Entry.__struct_fields__
    by_field = zip(*map(msgspec.structs.astuple, entries), strict=True) if entries else ((),) * len(names)
    read = {_RENAMED.get(name, name): _said(values) for name, values in zip(names, by_field, strict=True)}
    read["retry_delay_expression"] = _first(read["retry_delay_expression"], read.pop("retry_delay_expr"))
    read["caller_ip"] = _first(read["caller_ip"], read.pop("caller_ip_lower"))
    read["labels"] = _first([many and ",".join(many) for many in read["labels"]], read.pop("label"))
    return read | {name: [value or least for value in read[name]] for name, least in _ALWAYS.items()}


def _said(values: Sequence[Any]) -> Sequence[Any]:
    return [None if value == "" else value for value in values] if "" in values else values


def _first(one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    return [first or second for first, second in zip(one, other, strict=True)]
