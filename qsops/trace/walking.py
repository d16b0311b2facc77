"""Walking through a range of the log by several listings at once, and never more than the burst limit allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from qsops.client import Client
from qsops.models import LogFilter
from qsops.trace.listing import Listing, opened
from qsops.trace.ranges import AT_ONCE, MOST_OF_A_PART, MOST_PAGES, cut_at, parts_of
from qsops.wire.http import Response

__all__ = ["AT_ONCE", "Dated", "Progress", "walk"]

#: What has so many pages more than it may have was misjudged.
_FAR_MORE: Final = 8

Progress = Callable[[int], object]


class Dated(Protocol):
    """A page that knows its ends."""

    @property
    def cursor(self) -> str | None:
        """Where the next page begins; None at the end."""
        ...

    @property
    def count(self) -> int:
        """How many entries it has."""
        ...

    @property
    def ends_ms(self) -> tuple[int, int]:
        """The time of its oldest entry, and of its newest."""
        ...


D = TypeVar("D", bound=Dated)


async def walk(
    client: Client, which: LogFilter, read: Callable[[Response], D], progress: Progress | None, at_once: int = AT_ONCE
) -> list[D]:
    """Every page of ``which``, in the order of one listing; ``progress`` is told the size of each as it is read.

    What has to be read again is taken back by a negative number.

    :raises ServiceError: when a page cannot be had.
    :raises Corrupt: see :meth:`~qsops.trace.listing.Listing.pages`.
    """
    listing, first = await opened(client, which, read)
    walking = _Walk(listing, at_once, progress)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(walking.read(group, which, MOST_PAGES, first))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    return walking.pages()


class _Walk(Generic[D]):
    """The parts of one range, each with the pages that were read of it."""

    def __init__(self, listing: Listing[D], at_once: int, progress: Progress | None) -> None:
        self._listing = listing
        self._slots = asyncio.Semaphore(at_once)
        self._told = progress or int
        #: By the beginning of each part.
        self._found: dict[int, list[D]] = {}

    def pages(self) -> list[D]:
        """All pages, the latest part first."""
        return [page for begin_ms in sorted(self._found, reverse=True) for page in self._found[begin_ms]]

    async def read(self, group: asyncio.TaskGroup, which: LogFilter, most_pages: int, first: D | None = None) -> None:
        """Read one part; the first of its pages may say that it has more than ``most_pages`` and is better parted."""
        async with self._slots:
            page = first or await self._listing.page(which)
            parts = [which]
            if page.cursor is not None and page.count:
                oldest_ms, newest_ms = page.ends_ms
                parts = parts_of(which, newest_ms, oldest_ms, most_pages)
            if len(parts) == 1:
                await self._read_all(group, which, most_pages, page)
                return
        # The page is read again, within its part: that is cheaper than to find out where it ends.
        for part in parts:
            group.create_task(self.read(group, part, MOST_OF_A_PART))

    async def _read_all(self, group: asyncio.TaskGroup, which: LogFilter, most_pages: int, first: D) -> None:
        """Page after page; where there are far more than ``first`` let expect, the rest becomes a part of its own."""
        parts, pages = None, list[D]()
        async for page in self._listing.pages(which, first):
            pages.append(page)
            self._told(page.count)
            if len(pages) == most_pages + _FAR_MORE and page.cursor and page.count:
                parts = cut_at(which, page.ends_ms[0])
            if parts is not None:
                break
        if parts is None:
            self._found[which.from_ms or 0] = pages
            return
        # Entries of its last millisecond, and late ones, may be on either side: what was read is read again.
        self._told(-sum(page.count for page in pages))
        latest, rest = parts
        group.create_task(self.read(group, rest, MOST_PAGES))
        await self._keep(latest)

    async def _keep(self, which: LogFilter) -> None:
        kept = self._found.setdefault(which.from_ms or 0, [])
        async for page in self._listing.pages(which, await self._listing.page(which)):
            kept.append(page)
            self._told(page.count)
