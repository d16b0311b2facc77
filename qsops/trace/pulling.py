"""Pulling a listing of the log, page after page, to its end.

The documents disagree on the page: the SDKs say 1,000 entries at ``/v2/events``, the OpenAPI document 100 at
``/v2/logs``. So the larger is asked for first; what the service refuses is not asked for again within the pull.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final

from qsops.client import Client
from qsops.errors import Corrupt, Rejected
from qsops.models import LogEntry, LogFilter, Page
from qsops.wire.logs import EVENTS_PATH, LOGS_PATH

__all__ = ["pull"]

_PAGE_SIZES: Final = (1_000, 100, None)
_PAGE_LIMIT: Final = 100_000


async def pull(
    client: Client, which: LogFilter, *, bodies: bool = True, progress: Callable[[int], None] | None = None
) -> list[LogEntry]:
    """Every entry that ``which`` selects, oldest first; ``progress`` is told the size of each page.

    Without ``bodies`` the texts of messages and answers are dropped as they come in, so that they are never held.

    :raises ServiceError: when a page cannot be had; what came before it is not returned, since it would look whole.
    :raises Corrupt: when the service's cursor leads in a circle.
    """
    found: list[LogEntry] = []
    async for page in _pages(client, which):
        found += page.items if bodies else (_without_bodies(entry) for entry in page.items)
        if progress is not None:
            progress(len(page.items))
    if not which.earliest_first:
        found.reverse()
    # Late entries stand where they were written, not where they belong.
    return sorted(found, key=lambda entry: entry.time_ms)


async def _pages(client: Client, which: LogFilter) -> AsyncIterator[Page[LogEntry]]:
    ask, page = await _first(client, which)
    seen: set[str] = set()
    for _ in range(_PAGE_LIMIT):
        yield page
        if page.cursor is None:
            return
        if page.cursor in seen:
            raise Corrupt(f"the log's cursor {page.cursor!r} came twice: the listing leads in a circle")
        seen.add(page.cursor)
        page = await ask(page.cursor)
    raise Corrupt(f"the log has more than {_PAGE_LIMIT} pages: name a shorter range")


async def _first(client: Client, which: LogFilter) -> tuple[_Ask, Page[LogEntry]]:
    """The first page, and how the others are to be asked for."""
    for size in _PAGE_SIZES:
        for path in (EVENTS_PATH, LOGS_PATH):
            ask = _Ask(client, which, size, path)
            try:
                return ask, await ask(None)
            except Rejected as error:
                if error.status not in {400, 404}:
                    raise
                refusal = error
    raise refusal


class _Ask:
    """Asks for the page at a cursor, always in the same way."""

    def __init__(self, client: Client, which: LogFilter, size: int | None, path: str) -> None:
        self._client, self._which, self._size, self._path = client, which, size, path

    async def __call__(self, cursor: str | None) -> Page[LogEntry]:
        return await self._client.logs(self._which, cursor, self._size, self._path)


def _without_bodies(entry: LogEntry) -> LogEntry:
    return replace(entry, headers=(), body=None, response_headers=(), response_body=None)
