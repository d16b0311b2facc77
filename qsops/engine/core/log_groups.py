"""Reading the log by message: a page holds messages, each with those of its entries that match.

A message stands where its first entry stands in the order of the listing, and is told whole there. So a later page
knows from an entry alone whether its message has been told: it has if an earlier one matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from sqlite3 import Connection
from typing import Final

from qsops.engine.core.finding import find_lines
from qsops.engine.core.logs import entries_of
from qsops.engine.core.pages import PAGE_BYTES_LIMIT, after
from qsops.engine.texts import invalid_cursor
from qsops.errors import Rejected
from qsops.models import LogEntry, LogFilter, Page

__all__ = ["GROUP_ENTRIES_LIMIT", "read_log_groups"]

#: Entries of one message: more than a message with the most retries has.
GROUP_ENTRIES_LIMIT: Final = 5_000
#: How many entries one page looks at: those of messages that were told before lie between.
_LOOKED_AT: Final = 20_000

_CURSOR: Final = re.compile(r"(\d{1,15})-(\d{1,18})")

_MESSAGE: Final = "select m.id from log l join messages m on m.seq = l.message where l.seq = ?"
_NEWEST: Final = "select coalesce(max(seq), 0) from log"


@dataclass(frozen=True, slots=True)
class _Listing:
    """``origin`` is the newest entry as the first page was read: what came later belongs to another listing."""

    connection: Connection
    account: int
    wanted: LogFilter
    origin: int

    def lines(self, behind: int | None, limit: int, message_id: str | None = None) -> Iterator[int]:
        """The entries that match behind one, or from the first on; of all messages, or of one."""
        wanted = self.wanted if message_id is None else replace(self.wanted, message_ids=(message_id,))
        first = 0 if wanted.earliest_first else self.origin + 1
        start = first if behind is None else behind
        found = find_lines(self.connection, self.account, wanted, start, limit)
        return (line for line in found if line <= self.origin)

    def message_of(self, line: int) -> str:
        """The id of the message that an entry is of."""
        (message_id,) = self.connection.execute(_MESSAGE, (line,)).fetchone()
        return str(message_id)


def read_log_groups(
    connection: Connection, account: int, wanted: LogFilter, *, cursor: str | None, limit: int
) -> Page[tuple[LogEntry, ...]]:
    """One page of the messages of which an entry matches.

    :raises Rejected: 400, when ``cursor`` is none that this engine gave.
    """
    origin, behind = _place(connection, cursor, wanted)
    listing = _Listing(connection, account, wanted, origin)
    groups: list[tuple[LogEntry, ...]] = []
    last, looked_at, size = behind, 0, 0
    for line in listing.lines(behind, _LOOKED_AT):
        message_id = listing.message_of(line)
        if next(listing.lines(None, 1, message_id), None) == line:
            if len(groups) == limit or size >= PAGE_BYTES_LIMIT:
                return Page(tuple(groups), f"{origin}-{last}")
            groups.append(_entries(listing, message_id))
            size += sum(map(_size, groups[-1]))
        last, looked_at = line, looked_at + 1
    return Page(tuple(groups), f"{origin}-{last}" if looked_at == _LOOKED_AT else None)


def _entries(listing: _Listing, message_id: str) -> tuple[LogEntry, ...]:
    """All entries of one message; those past what a page may hold have no bodies, since each repeats the message's."""
    found: list[LogEntry] = []
    size = 0
    for entry in entries_of(listing.connection, listing.lines(None, GROUP_ENTRIES_LIMIT, message_id)):
        size += _size(entry)
        found.append(entry if size <= PAGE_BYTES_LIMIT else replace(entry, body=None, response_body=None))
    return tuple(found)


def _size(entry: LogEntry) -> int:
    return len(entry.body or b"") + len(entry.response_body or b"")


def _place(connection: Connection, cursor: str | None, wanted: LogFilter) -> tuple[int, int | None]:
    """The listing's newest entry, and the entry that the page starts behind; both stand in a cursor."""
    if cursor is None:
        (newest,) = connection.execute(_NEWEST).fetchone()
        return newest, None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise Rejected(400, invalid_cursor(cursor))
    return int(match[1]), after(cursor, earliest_first=wanted.earliest_first)
