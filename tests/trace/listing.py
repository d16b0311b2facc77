"""A listing in memory behind the client's transport: pages by keyset, and what was asked of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from qsops.models import Headers, LogEntry, LogFilter, Page
from qsops.wire.http import Request, Response
from qsops.wire.logs import logs_json, parse_logs_request


@dataclass
class Listing:
    """Lists ``entries`` (in the order of writing), ``page`` at a time; ``headers`` makes those of each answer."""

    entries: list[LogEntry] = field(default_factory=list)
    page: int = 1_000
    headers: Callable[[], Headers] = tuple
    asked: list[LogFilter] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        which, cursor, count = parse_logs_request(request)
        self.asked.append(which)
        found = [(n, entry) for n, entry in enumerate(self.entries) if _selected(entry, which)]
        found.sort(key=lambda pair: (pair[1].time_ms, pair[0]), reverse=not which.earliest_first)
        start = int(cursor or 0)
        stop = start + min(self.page, count or self.page)
        page = Page(tuple(entry for _, entry in found[start:stop]), str(stop) if stop < len(found) else None)
        return Response.of_json(200, logs_json(page, "events"), self.headers())

    async def turn(self) -> None:
        """Let the others go on, several times."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        return None


def _selected(entry: LogEntry, which: LogFilter) -> bool:
    if which.message_ids and entry.message_id not in which.message_ids:
        return False
    return (which.from_ms or 0) <= entry.time_ms <= (entry.time_ms if which.to_ms is None else which.to_ms)
