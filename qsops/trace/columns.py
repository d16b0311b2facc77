"""Pages of the log as Arrow tables, read by the column: an object of each entry, with all it says, takes far longer.

msgspec reads of each entry what has a column, and passes over the rest. A page in which anything is of another type
than it should be is read entry by entry. No object that the garbage collector follows is made for an entry: a thousand
a page had it go through everything that a notebook holds, every forty pages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from qsops import frames
from qsops.wire.http import Response
from qsops.wire.logs import listed_logs, parse_log

__all__ = ["Sheet", "listed", "quick_sheet_of", "sheet_of", "table_of"]


_NULL: Final = msgspec.Raw(b"null")


class _Entry(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """What has a column, as it is spelled on the wire; the labels are still JSON."""

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
    labels: msgspec.Raw = _NULL
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
_labels_of: Final = msgspec.json.Decoder(list[str] | None).decode


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of the log as a table of :data:`qsops.frames.ENTRIES`, in the listing's order; no cursor at its end.

    ``malformed`` is the JSON of what is no entry, where somebody has told them apart.
    """

    table: pa.Table
    cursor: str | None
    malformed: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many entries it has."""
        return int(self.table.num_rows)

    @property
    def ends_ms(self) -> tuple[int, int]:
        """The time of its oldest entry, and of its newest."""
        ends = pc.min_max(self.table["time"].cast(pa.int64()))
        return ends["min"].as_py() // 1000, ends["max"].as_py() // 1000


def sheet_of(response: Response, *, bodies: bool, turned: bool = False) -> Sheet:
    """The page that ``response`` holds, with ``turned`` its last entry first.

    With ``bodies``, or if anything in it is unusual, it is read entry by entry.

    :raises Corrupt: when it is no page of the log.
    """
    sheet = None if bodies else quick_sheet_of(response, turned=turned)
    if sheet is not None:
        return sheet
    entries, cursor = listed(response)
    return Sheet(table_of(reversed(entries) if turned else entries, bodies=bodies), cursor)


def quick_sheet_of(response: Response, *, turned: bool = False) -> Sheet | None:
    """The page that ``response`` holds, without bodies; None if there is anything unusual in it."""
    try:
        page = _page_of(response.body)
        entries = page.logs if page.events is None else page.events
        if entries is None:
            return None
        table = frames.entry_table(_columns(entries[::-1] if turned else entries))
    except (ValueError, RecursionError, pa.ArrowException, OverflowError):
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
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return json.loads(body)


def _columns(entries: Sequence[_Entry]) -> dict[str, Sequence[Any]]:
    """The columns of :data:`qsops.frames.ENTRIES`; an empty text says nothing.

    :raises ValueError: when an entry's labels are not texts.
    """
    return {
        "time": [entry.time or 0 for entry in entries],
        "message_id": [entry.message_id or "" for entry in entries],
        "state": [entry.state or "" for entry in entries],
        "url": [entry.url or None for entry in entries],
        "url_group": [entry.topic_name or None for entry in entries],
        "endpoint": [entry.endpoint_name or None for entry in entries],
        "queue": [entry.queue_name or None for entry in entries],
        "schedule_id": [entry.schedule_id or None for entry in entries],
        "labels": _labels(entries),
        "method": [entry.method or None for entry in entries],
        "response_status": [entry.response_status for entry in entries],
        "error": [entry.error or None for entry in entries],
        "next_delivery_at": [entry.next_delivery_time for entry in entries],
        "max_retries": [entry.max_retries for entry in entries],
        "retry_delay_expression": [entry.retry_delay_expression or entry.retry_delay_expr or None for entry in entries],
        "flow_control_key": [entry.flow_control_key or None for entry in entries],
        "caller_ip": [entry.caller_ip or entry.caller_ip_lower or None for entry in entries],
    }


def _labels(entries: Sequence[_Entry]) -> list[str | None]:
    """Few are different: each spelling is read once."""
    spelled = [bytes(entry.labels) for entry in entries]
    joined = {text: ",".join(_labels_of(text) or ()) for text in set(spelled)}
    return [joined[text] or entry.label or None for text, entry in zip(spelled, entries, strict=True)]
