"""Walking through a range of the log by several listings at once, and never more than the burst limit allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from qsops.client import Client
from qsops.models import LogFilter
from qsops.trace.listing import Listing, opened
from qsops.trace.ranges import parts_of
from qsops.wire.http import Response

__all__ = ["AT_ONCE", "Dated", "Progress", "walk"]

#: Listings that are read at once: each has one request under way.
AT_ONCE: Final = 16

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
    """Every page of ``which``, in the order of one listing; ``progress`` is told the size of each.

    :raises ServiceError: when a page cannot be had.
    :raises Corrupt: see :meth:`~qsops.trace.listing.Listing.pages`.
    """
    listing, first = await opened(client, which, read)
    walking = _Walk(listing, at_once, progress)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(walking.read(group, which, first))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    return walking.pages()


class _Walk(Generic[D]):
    """The parts of one range, each with the pages that were read of it."""

    def __init__(self, listing: Listing[D], at_once: int, progress: Progress | None) -> None:
        self._listing = listing
        self._slots = asyncio.Semaphore(at_once)
        self._progress = progress
        #: By the beginning of each part.
        self._found: dict[int, list[D]] = {}

    def pages(self) -> list[D]:
        """All pages, the latest part first."""
        return [page for begin_ms in sorted(self._found, reverse=True) for page in self._found[begin_ms]]

    async def read(self, group: asyncio.TaskGroup, which: LogFilter, first: D | None = None) -> None:
        """Read one part; the first of its pages may say that it is better parted."""
        async with self._slots:
            page = first or await self._listing.page(which)
            parts = [which] if page.cursor is None or not page.count else parts_of(which, *reversed(page.ends_ms))
            if len(parts) == 1:
                await self._read_all(which, page)
                return
        # The page is read again, within its part: that is cheaper than to find out where it ends.
        for part in parts:
            group.create_task(self.read(group, part))

    async def _read_all(self, which: LogFilter, first: D) -> None:
        kept = self._found.setdefault(which.from_ms or 0, [])
        async for page in self._listing.pages(which, first):
            kept.append(page)
            if self._progress is not None:
                self._progress(page.count)
