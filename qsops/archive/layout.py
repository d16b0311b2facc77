"""The tables of an archive: their columns, and what their files are told apart by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from qsops import frames

__all__ = ["ATTEMPTS", "COMMITS", "DEAD_LETTERS", "FORMAT", "LOGS", "MALFORMED", "MESSAGES", "OPEN", "TABLES", "Layout"]

#: Raised with every change that an older reader would misread; what is newer than ours is refused. A column that is
#: added is none: it is null in the rows of older ones, and they pass it over.
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """One table. ``by`` is a column of whole numbers whose range is kept for each file, so that reads pass files over.

    A ``parted`` table keeps the rows of unfinished messages, which are written anew with every commit, in files apart
    from those of finished ones; to Delta that is a partition column ``open``.
    """

    name: str
    schema: pa.Schema
    by: str
    parted: bool = False


LOGS: Final = Layout("logs", pa.unify_schemas([frames.PORTABLE_LOGS, frames.BODIES]), "time_ms")
ATTEMPTS: Final = Layout("attempts", frames.PORTABLE_ATTEMPTS, "ended_ms", parted=True)
MESSAGES: Final = Layout("messages", frames.PORTABLE_MESSAGES, "finished_ms", parted=True)

_FOLDED: Final = (
    *("time", "time_ms", "message_id", "state", "seq", "url", "labels", "queue", "schedule_id"),
    *("response_status", "error", "response_body"),
)
#: What the fold reads of the log entries of unfinished messages.
OPEN: Final = Layout("open", pa.schema([LOGS.schema.field(name) for name in _FOLDED]), "time_ms")

#: Entries that are none: ``raw`` is their JSON, ``seq`` numbers equal ones.
MALFORMED: Final = Layout(
    "malformed",
    pa.schema([("seen_ms", pa.int64()), ("raw", pa.string()), ("seq", pa.int64())]),
    "seen_ms",
)

_TIME: Final = pa.timestamp("us", "UTC")
#: Dead letters, those that the service still lists apart; ``gone_ms`` is when one was first missed there.
DEAD_LETTERS: Final = Layout(
    "dead_letters",
    pa.schema(
        [
            ("dlq_id", pa.string()),
            ("failed_at", _TIME),
            ("message_id", pa.string()),
            ("url", pa.string()),
            ("url_group", pa.string()),
            ("queue", pa.string()),
            ("label", pa.string()),
            ("method", pa.string()),
            ("created_at", _TIME),
            ("max_retries", pa.int64()),
            ("response_status", pa.int64()),
            ("body", pa.string()),
            ("response_body", pa.string()),
            ("failed_ms", pa.int64()),
            ("seen_ms", pa.int64()),
            ("gone_ms", pa.int64()),
        ]
    ),
    "failed_ms",
    parted=True,
)

_MARK: Final = pa.struct(
    [
        ("name", pa.string()),
        ("version", pa.int64()),
        ("rows", pa.int64()),
        ("files", pa.int64()),
        ("names", pa.string()),
    ]
)
_SPAN: Final = pa.struct([("from_ms", pa.int64()), ("to_ms", pa.int64())])
COMMITS: Final = Layout(
    "commits",
    pa.schema(
        [
            ("commit", pa.int64()),
            ("format", pa.int64()),
            ("time", _TIME),
            ("kind", pa.string()),
            ("from_ms", pa.int64()),
            ("to_ms", pa.int64()),
            ("entries", pa.int64()),
            ("added", pa.int64()),
            ("malformed", pa.int64()),
            ("versions", pa.map_(pa.string(), pa.int64())),
            ("covered", pa.list_(_SPAN)),
            ("tables", pa.list_(_MARK)),
        ]
    ),
    "commit",
)

TABLES: Final[Mapping[str, Layout]] = MappingProxyType(
    {layout.name: layout for layout in (LOGS, ATTEMPTS, MESSAGES, OPEN, MALFORMED, DEAD_LETTERS, COMMITS)}
)
