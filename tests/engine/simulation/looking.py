"""Steps that look: page through log and dead letters, all of them or what matches a filter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from qsops.models import LogEntry, LogFilter, State
from qsops.wire.logs import EVENTS_PATH, LOGS_PATH, logs_request, parse_logs
from tests.engine.simulation.letters import list_letters

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Search", "TurnPages"]

#: Of the DLQ, and of the log under its documented path, a page holds no more.
_SHORT_PAGE: Final = 100
_IN_PROGRESS: Final = (State.ACTIVE, State.RETRY, State.ERROR)


@dataclass(frozen=True, slots=True)
class TurnPages:
    """Log and DLQ, ``count`` entries at a time: each entry once, in order."""

    count: int
    earliest_first: bool = False

    async def take(self, world: World) -> None:
        for account, log in enumerate(world.books.log):
            wanted = LogFilter(earliest_first=self.earliest_first)
            expected = log if self.earliest_first else log[::-1]
            short = min(self.count, _SHORT_PAGE)
            assert await _read(world, account, wanted, self.count, EVENTS_PATH) == expected
            assert await _read(world, account, wanted, short, LOGS_PATH) == expected
            letters = await list_letters(world, account)
            turned = await list_letters(world, account, count=short, earliest_first=self.earliest_first)
            assert turned == (letters[::-1] if self.earliest_first else letters)


@dataclass(frozen=True, slots=True)
class Search:
    """The lines of the log that match ``wanted``, ``count`` at a time.

    With ``newest``, of the latest messages so many; with ``last_ms`` what was written within that time.
    """

    wanted: LogFilter
    count: int
    newest: int = 0
    last_ms: int | None = None
    account: int = 0

    async def take(self, world: World) -> None:
        wanted, log = self.wanted, world.books.log[self.account]
        if self.newest:
            ids = [sent.message_id for sent in world.books.messages.values() if sent.account == self.account]
            wanted = replace(wanted, message_ids=(*ids[-self.newest :], "msg_0000000000000000"))
        if self.last_ms is not None:
            wanted = replace(wanted, from_ms=max(0, world.now_ms - self.last_ms), to_ms=world.now_ms - 1)
        found = await _read(world, self.account, wanted, self.count, EVENTS_PATH)
        expected = [row for row in log if _matches(row, wanted)]
        assert found == (expected if wanted.earliest_first else expected[::-1]), wanted


def _matches(row: LogEntry, wanted: LogFilter) -> bool:
    states = {*wanted.states, *(_IN_PROGRESS if State.IN_PROGRESS in wanted.states else ())}
    key = row.flow_control.key if row.flow_control is not None else None
    return (
        (not states or row.state in states)
        and (not wanted.message_ids or row.message_id in wanted.message_ids)
        and (not wanted.urls or row.url in wanted.urls)
        and (not wanted.queues or row.queue in wanted.queues)
        and (not wanted.url_groups or row.url_group in wanted.url_groups)
        and (not wanted.labels or not set(wanted.labels).isdisjoint(row.labels))
        and (not wanted.flow_control_keys or key in wanted.flow_control_keys)
        and (wanted.from_ms is None or row.time_ms >= wanted.from_ms)
        and (wanted.to_ms is None or row.time_ms <= wanted.to_ms)
    )


async def _read(world: World, account: int, wanted: LogFilter, count: int, path: str) -> list[LogEntry]:
    found: list[LogEntry] = []
    cursor = None
    while True:
        page = parse_logs(await world.send(logs_request(wanted, cursor, count, path), account))
        assert len(page.items) <= count, (len(page.items), count)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found
