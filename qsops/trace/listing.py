"""One listing of the log, page after page, to its end.

The documents disagree on the page: the SDKs say 1,000 entries at ``/v2/events``, the OpenAPI document 100 at
``/v2/logs``. So the larger is asked for first; what the service refuses is not asked for again within the pull.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from qsops.client import Client
from qsops.client.cursors import Cursors
from qsops.errors import Rejected
from qsops.models import LogFilter
from qsops.wire.http import Response
from qsops.wire.logs import EVENTS_PATH, LOGS_PATH

__all__ = ["Listing", "Paged", "opened"]

_PAGE_SIZES: Final = (1_000, 100, None)
_PAGE_LIMIT: Final = 100_000


class Paged(Protocol):
    """What is read of an answer."""

    @property
    def cursor(self) -> str | None:
        """Where the next page begins; None at the end."""
        ...


P = TypeVar("P", bound=Paged)


@dataclass(frozen=True, slots=True)
class Listing(Generic[P]):
    """One of the two listings, asked for its pages always in the same way; ``read`` makes a page of an answer."""

    client: Client
    size: int | None
    path: str
    read: Callable[[Response], P]

    async def page(self, which: LogFilter, cursor: str | None = None) -> P:
        """One page, once the burst limit lets it."""
        return self.read(await self.client.log_page(which, cursor, self.size, self.path))

    async def pages(self, which: LogFilter, first: P) -> AsyncIterator[P]:
        """``first``, and all that follow it.

        :raises Corrupt: when the service's cursor leads in a circle, or there are more than 100,000 pages.
        """
        page, cursors = first, Cursors("log", _PAGE_LIMIT, "name a shorter range")
        yield page
        while page.cursor is not None:
            cursors.follow(page.cursor)
            page = await self.page(which, page.cursor)
            yield page


async def opened(client: Client, which: LogFilter, read: Callable[[Response], P]) -> tuple[Listing[P], P]:
    """How this service lists its log, found out by asking for the first page; and that page."""
    for size in _PAGE_SIZES:
        for path in (EVENTS_PATH, LOGS_PATH):
            listing = Listing(client, size, path, read)
            try:
                return listing, await listing.page(which)
            except Rejected as error:
                if error.status not in {400, 404}:
                    raise
                refusal = error
    raise refusal
