"""Pulling a range of the log to its end: as entries, or as tables where there are many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from qsops.client import Client
from qsops.models import LogEntry, LogFilter
from qsops.trace.columns import sheet_of
from qsops.trace.walking import AT_ONCE, Progress, walk
from qsops.wire.http import Response
from qsops.wire.logs import parse_logs

__all__ = ["pull", "pull_tables"]


async def pull(
    client: Client, which: LogFilter, *, bodies: bool = True, progress: Progress | None = None, at_once: int = AT_ONCE
) -> list[LogEntry]:
    """Every entry that ``which`` selects, oldest first; ``progress`` as of :func:`~qsops.trace.walking.walk`.

    Entries of one millisecond keep the service's order. A long range is read through several listings ``at_once``, all
    of them together under the burst limit that the service advertises. Without ``bodies`` the texts of messages and
    answers are dropped as they come in, so that they are never held.

    :raises ServiceError: when a page cannot be had; what came before it is not returned, since it would look whole.
    :raises Corrupt: when the service's cursor leads in a circle, or there are more than 100,000 pages.
    """
    pages = await walk(client, which, partial(_Entries.of, bodies=bodies), progress, at_once)
    found = [entry for page in pages for entry in page.entries]
    # Late entries stand where they were written, not where they belong.
    return sorted(found if which.earliest_first else reversed(found), key=lambda entry: entry.time_ms)


async def pull_tables(
    client: Client, which: LogFilter, *, bodies: bool = False, progress: Progress | None = None, at_once: int = AT_ONCE
) -> list[pa.Table]:
    """As :func:`pull`, as tables of :data:`qsops.frames.ENTRIES`: in the service's order, the oldest first."""
    turned = not which.earliest_first
    pages = await walk(client, which, partial(sheet_of, bodies=bodies, turned=turned), progress, at_once)
    return [page.table for page in (reversed(pages) if turned else pages)]


@dataclass(frozen=True, slots=True)
class _Entries:
    """A page as entries."""

    entries: tuple[LogEntry, ...]
    cursor: str | None

    @classmethod
    def of(cls, response: Response, *, bodies: bool) -> _Entries:
        page = parse_logs(response)
        return cls(page.items if bodies else tuple(map(_without_bodies, page.items)), page.cursor)

    @property
    def count(self) -> int:
        return len(self.entries)

    @property
    def ends_ms(self) -> tuple[int, int]:
        times_ms = [entry.time_ms for entry in self.entries]
        return min(times_ms), max(times_ms)


def _without_bodies(entry: LogEntry) -> LogEntry:
    return replace(entry, headers=(), body=None, response_headers=(), response_body=None)
