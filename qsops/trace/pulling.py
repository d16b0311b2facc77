"""Pulling a listing of the log, page after page, to its end.

The documents disagree on the page: the SDKs say 1,000 entries at ``/v2/events``, the OpenAPI document 100 at
``/v2/logs``. So the larger is asked for first; what the service refuses is not asked for again within the pull.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final

from qsops.client import Client
from qsops.errors import Corrupt, Rejected
from qsops.models import LogEntry, LogFilter, Page
from qsops.wire.logs import EVENTS_PATH, LOGS_PATH

__all__ = ["pull", "windows_of"]

_PAGE_SIZES: Final = (1_000, 100, None)
_PAGE_LIMIT: Final = 100_000

Progress = Callable[[int], object]


async def pull(
    client: Client, which: LogFilter, *, bodies: bool = True, progress: Progress | None = None, windows: int = 1
) -> list[LogEntry]:
    """Every entry that ``which`` selects, oldest first; ``progress`` is told the size of each page.

    Entries of one millisecond keep the service's order. A range with both ends may be read through several ``windows``
    at once; all of them together stay under the burst limit that the service advertises. Without ``bodies`` the texts
    of messages and answers are dropped as they come in, so that they are never held.

    :raises ServiceError: when a page cannot be had; what came before it is not returned, since it would look whole.
    :raises Corrupt: when the service's cursor leads in a circle, or there are more than 100,000 pages.
    """
    latest, *others = windows_of(which, windows)
    listing, first = await _opened(client, latest)
    keep = _Keeper(bodies, progress)
    found = await _together([keep.all(listing.pages(latest, first)), *(keep.all(listing.pages(w)) for w in others)])
    oldest_first = [entry for part in reversed(found) for entry in (part if which.earliest_first else reversed(part))]
    # Late entries stand where they were written, not where they belong.
    return sorted(oldest_first, key=lambda entry: entry.time_ms)


def windows_of(which: LogFilter, count: int) -> list[LogFilter]:
    """``which`` in at most ``count`` windows of whole milliseconds, the latest first; one if an end is open.

    Whole ones, since the entries of a millisecond have an order that only one listing can tell.
    """
    if which.from_ms is None or which.to_ms is None:
        return [which]
    span = which.to_ms - which.from_ms + 1
    parts = max(1, min(count, span))
    edges = [which.from_ms + span * n // parts for n in range(parts + 1)]
    return [replace(which, from_ms=edges[n], to_ms=edges[n + 1] - 1) for n in reversed(range(parts))]


async def _opened(client: Client, which: LogFilter) -> tuple[_Listing, Page[LogEntry]]:
    """How this service lists its log, found out by asking for the first page."""
    for size in _PAGE_SIZES:
        for path in (EVENTS_PATH, LOGS_PATH):
            listing = _Listing(client, size, path)
            try:
                return listing, await listing.page(which)
            except Rejected as error:
                if error.status not in {400, 404}:
                    raise
                refusal = error
    raise refusal


@dataclass(frozen=True, slots=True)
class _Listing:
    """One of the two listings, asked for its pages always in the same way."""

    client: Client
    size: int | None
    path: str

    async def page(self, which: LogFilter, cursor: str | None = None) -> Page[LogEntry]:
        await self.client.pace()
        return await self.client.logs(which, cursor, self.size, self.path)

    async def pages(self, which: LogFilter, first: Page[LogEntry] | None = None) -> AsyncIterator[Page[LogEntry]]:
        page = first or await self.page(which)
        seen: set[str] = set()
        for _ in range(_PAGE_LIMIT):
            yield page
            if page.cursor is None:
                return
            if page.cursor in seen:
                raise Corrupt(f"the log's cursor {page.cursor!r} came twice: the listing leads in a circle")
            seen.add(page.cursor)
            page = await self.page(which, page.cursor)
        raise Corrupt(f"the log has more than {_PAGE_LIMIT} pages: name a shorter range")


@dataclass(frozen=True, slots=True)
class _Keeper:
    """What is kept of the pages that come in."""

    bodies: bool
    progress: Progress | None

    async def all(self, pages: AsyncIterator[Page[LogEntry]]) -> list[LogEntry]:
        kept: list[LogEntry] = []
        async for page in pages:
            kept += page.items if self.bodies else (_without_bodies(entry) for entry in page.items)
            if self.progress is not None:
                self.progress(len(page.items))
        return kept


async def _together(parts: list[Coroutine[Any, Any, list[LogEntry]]]) -> list[list[LogEntry]]:
    """Run ``parts`` at once; the first that fails ends the others, and its error is the one to tell."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    return [task.result() for task in tasks]


def _without_bodies(entry: LogEntry) -> LogEntry:
    return replace(entry, headers=(), body=None, response_headers=(), response_body=None)
