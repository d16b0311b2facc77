"""After each step: the new lines of the log, one by one, against what was asked, what arrived, and each rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from qsops.models import LogEntry, LogFilter, State
from qsops.wire.logs import logs_request, parse_logs
from tests.engine.simulation.attempts import Attempts
from tests.engine.simulation.firings import Firings
from tests.engine.simulation.flows import Flows
from tests.engine.simulation.lanes import Lanes
from tests.engine.simulation.letters import Letters
from tests.engine.simulation.model import Sent
from tests.engine.simulation.origins import Origins
from tests.engine.simulation.reports import Reports

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Audit", "Rule"]


class Rule(Protocol):
    """What must hold. Each raises an AssertionError that names what broke it."""

    def on_row(self, row: LogEntry, sent: Sent) -> None:
        """A line of the log, before the next one is looked at."""

    def on_new_life(self) -> None:
        """The engine has ended, and was opened anew; the lines of its last life have been seen."""

    async def at_rest(self) -> None:
        """Nobody can do anything more at this instant."""


class Audit:
    def __init__(self, world: World) -> None:
        self._world = world
        self._origins = Origins(world)
        attempts = Attempts(world)
        reports = Reports(world)
        # The rules that say who may start look at things as they were before that start.
        self._rules: list[Rule] = [Lanes(world), Flows(world), attempts, reports, Letters(world), Firings(world)]
        self._attempts = attempts
        self._lives = len(world.lives)

    async def run(self) -> None:
        """Everything since the last time."""
        world = self._world
        self._attempts.collect(world.destinations.arrivals)
        world.destinations.arrivals.clear()
        rows = [[*await self._new_rows(account)] for account in range(len(world.books.log))]
        # Each account has a log of its own; between them time alone gives the order.
        for account, row in sorted(((account, row) for account, own in enumerate(rows) for row in own), key=_time_of):
            if self._lives < len(world.lives) and row.time_ms >= world.life.opened_ms:
                self._begin_life()
            self._look_at(account, row)
        if self._lives < len(world.lives):
            self._begin_life()
        world.books.doubtful.clear()
        world.books.tidy()
        for rule in self._rules:
            await rule.at_rest()

    def _look_at(self, account: int, row: LogEntry) -> None:
        books = self._world.books
        if row.state == State.CREATED and row.message_id not in books.messages:
            self._origins.adopt(account, row)
        sent = books.messages[row.message_id]
        assert sent.account == account, f"{row.message_id} is in the log of another account"
        for rule in self._rules:
            rule.on_row(row, sent)

    def _begin_life(self) -> None:
        self._lives = len(self._world.lives)
        for rule in self._rules:
            rule.on_new_life()

    async def _new_rows(self, account: int) -> Iterator[LogEntry]:
        """The lines of a log beyond those that are known: the latest of these may share its time with new ones."""
        known = self._world.books.log[account]
        latest_ms = known[-1].time_ms if known else None
        shared = 0
        while shared < len(known) and known[-1 - shared].time_ms == latest_ms:
            shared += 1
        wanted = LogFilter(from_ms=latest_ms, earliest_first=True)
        rows: list[LogEntry] = []
        cursor = None
        while True:
            page = parse_logs(await self._world.send(logs_request(wanted, cursor), account))
            rows += page.items
            cursor = page.cursor
            if cursor is None:
                break
        assert rows[:shared] == known[len(known) - shared :], "lines of the log have changed or gone"
        known += rows[shared:]
        return iter(rows[shared:])


def _time_of(pair: tuple[int, LogEntry]) -> int:
    return pair[1].time_ms
