"""Where an archive's entries come from: QStash's log, a bounded range of it at a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from qsops import frames
from qsops.archive.aside import raw_of
from qsops.archive.spans import Span
from qsops.client import Client
from qsops.models import LogFilter
from qsops.trace.columns import Sheet, listed, quick_sheet_of, table_of
from qsops.trace.heads import head_filters
from qsops.trace.listing import opened
from qsops.trace.walking import Progress, walk
from qsops.wire.http import Response, dated_ms
from qsops.wire.values import number, text

__all__ = ["LogSource", "Pulled", "Run", "Source", "TooMany", "present_ms"]

Run = Callable[[Callable[[Progress], Coroutine[Any, Any, Any]]], Any]

#: A time in milliseconds must fit as microseconds.
_LATEST_MS: Final = 9 * 10**15
_SECOND_MS: Final = 1_000


class TooMany(Exception):
    """A range has more entries than were asked for at the most: ask for a shorter one."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a range of the log says: a table of :data:`qsops.frames.ENTRIES`, with :data:`~qsops.frames.BODIES` if they
    were asked for, in the service's order, the oldest first; and the JSON of what is no entry.
    """

    entries: pa.Table
    malformed: tuple[str, ...] = ()


class Source(Protocol):
    """A log that can be asked; whatever goes wrong there is of :mod:`qsops.errors`."""

    def oldest_ms(self) -> int | None:
        """The time of the oldest entry that is still remembered; None if there is none, or it cannot be told."""
        ...

    def now_ms(self) -> int | None:
        """The log's own time when it gave its latest answer; None if it told none."""
        ...

    def entries(self, span: Span, most: int | None) -> Pulled:
        """All entries of a range, both ends included.

        :raises TooMany: there are more than ``most``.
        """
        ...

    def heads(self, message_ids: Sequence[str], before_ms: int) -> pa.Table:
        """What is remembered of these messages from before a time, of 10,000 at the most; as :meth:`entries`."""
        ...


def present_ms(source: Source, our_ms: int) -> int:
    """The earlier of our time and the log's own, once it has been asked for anything.

    By a clock of ours that is ahead, what has not happened yet would be covered, and never be pulled.
    """
    theirs_ms = source.now_ms()
    return our_ms if theirs_ms is None else min(our_ms, theirs_ms)


class LogSource:
    """The log of one account.

    ``run`` waits for what a coroutine function gives, which it calls with whatever is to be told the size of each page.
    """

    def __init__(self, client: Client, run: Run, *, bodies: bool = False) -> None:
        self._client = client
        self._run = run
        self._bodies = bodies
        self._now_ms: int | None = None

    def oldest_ms(self) -> int | None:
        found: int | None = self._run(lambda _: self._oldest())
        return found

    def now_ms(self) -> int | None:
        return self._now_ms

    def entries(self, span: Span, most: int | None) -> Pulled:
        which = LogFilter(from_ms=span[0], to_ms=span[1])
        pages: list[Sheet] = self._run(lambda told: walk(self._client, which, self._read, _Count(most, told)))
        # The listing has the latest first.
        return Pulled(
            self._joined([_backwards(page.table) for page in reversed(pages)]),
            tuple(raw for page in reversed(pages) for raw in reversed(page.malformed)),
        )

    def heads(self, message_ids: Sequence[str], before_ms: int) -> pa.Table:
        found: list[pa.Table] = []
        for which in head_filters(message_ids, before_ms):
            pages: list[Sheet] = self._run(partial(walk, self._client, which, self._read))
            found += [_backwards(page.table) for page in reversed(pages)]
        return self._joined(found)

    async def _oldest(self) -> int | None:
        which = LogFilter(earliest_first=True)
        listing, first = await opened(self._client, which, self._read)
        async for page in listing.pages(which, first):
            if page.count:
                times = page.table["time"].cast(pa.int64())
                # A service that does not know the order lists the latest first, which says nothing of the oldest.
                in_order = page.cursor is None or times[0].as_py() <= times[-1].as_py()
                return int(pc.min(times).as_py()) // 1000 if in_order else None
        return None

    def _joined(self, tables: Sequence[pa.Table]) -> pa.Table:
        schema = pa.unify_schemas([frames.ENTRIES, frames.BODIES]) if self._bodies else frames.ENTRIES
        return pa.concat_tables([schema.empty_table(), *tables])

    def _read(self, response: Response) -> Sheet:
        second_ms = dated_ms(response.headers)
        self._now_ms = None if second_ms is None else second_ms + _SECOND_MS - 1
        sheet = None if self._bodies else quick_sheet_of(response)
        if sheet is not None and _all_are_entries(sheet.table):
            return sheet
        entries, cursor = listed(response)
        good = [entry for entry in entries if _is_entry(entry)]
        bad = () if len(good) == len(entries) else tuple(raw_of(one) for one in entries if not _is_entry(one))
        return Sheet(table_of(good, bodies=self._bodies), cursor, bad)


class _Count:
    """Tells ``progress``, and stops a pull that brings more than it may."""

    def __init__(self, most: int | None, progress: Progress) -> None:
        self._most = most
        self._progress = progress
        self._seen = 0

    def __call__(self, count: int) -> None:
        self._seen += count
        if self._most is not None and self._seen > self._most:
            raise TooMany
        self._progress(count)


def _is_entry(entry: Any) -> bool:
    """Whether it can be placed: an object with a time and a message. Whatever else it lacks is null."""
    if not isinstance(entry, dict):
        return False
    time_ms = number(entry.get("time"))
    return time_ms is not None and 0 < time_ms < _LATEST_MS and bool(text(entry.get("messageId")))


def _all_are_entries(table: pa.Table) -> bool:
    """As :func:`_is_entry`, of a page that has been read."""
    times_us, ids = table["time"].cast(pa.int64()), table["message_id"]
    placed = pc.and_(pc.greater(times_us, 0), pc.less(times_us, _LATEST_MS * 1000))
    return bool(pc.all(pc.and_(placed, pc.not_equal(ids, "")), min_count=0).as_py())


def _backwards(table: pa.Table) -> pa.Table:
    return table.take(pa.array(range(table.num_rows - 1, -1, -1), pa.int32()))
