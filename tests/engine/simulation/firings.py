"""Schedules: each time fires once, over crash and restart; what is paused is skipped, and what was missed is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsops.models import LogEntry, State
from qsops.wire.destinations import is_url
from qsops.wire.schedules import parse_schedules, schedules_request
from tests.engine.simulation.model import Plan, Sent

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Firings", "next_after"]

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS


class Firings:
    def __init__(self, world: World) -> None:
        self._world = world
        #: Where the firing of an instant has come by now, by schedule.
        self._called: dict[str, list[str]] = {}

    def on_row(self, row: LogEntry, sent: Sent) -> None:
        if row.state != State.CREATED or sent.schedule_id is None or not sent.fired:
            return
        plan = self._world.books.plans[sent.schedule_id]
        if row.time_ms == plan.last_ms and self._called.get(sent.schedule_id):
            assert row.url not in self._called[sent.schedule_id], f"{sent.schedule_id} fired twice at {row.time_ms}"
        else:
            self._fire(plan, row.time_ms, sent.schedule_id)
        self._called[sent.schedule_id].append(row.url or "")

    def on_new_life(self) -> None:
        return

    async def at_rest(self) -> None:
        world = self._world
        for schedule_id, urls in self._called.items():
            plan = world.books.plans[schedule_id]
            wanted = recipients(world, plan)
            assert sorted(urls) == sorted(wanted), f"{schedule_id} called {urls}, not {wanted}"
        self._called.clear()
        for account in {plan.account for plan in world.books.plans.values()}:
            await self._compare(account)

    def _fire(self, plan: Plan, at_ms: int, schedule_id: str) -> None:
        """At its time or, where that fell into a life's last instant or between two, as the engine is up again."""
        if schedule_id in self._called:
            wanted = recipients(self._world, plan)
            assert sorted(self._called[schedule_id]) == sorted(wanted), f"{schedule_id} called {self._called}"
        assert not plan.paused, f"{schedule_id} fired, and is paused"
        life = self._world.life_at(at_ms)
        wanted_ms = max(plan.next_ms, life.opened_ms)
        assert at_ms == wanted_ms, f"{schedule_id} fired at {at_ms} instead of {wanted_ms}"
        plan.last_ms, plan.next_ms = at_ms, next_after(at_ms, plan.minutes)
        self._called[schedule_id] = []

    async def _compare(self, account: int) -> None:
        """What the engine tells of its schedules."""
        world = self._world
        told = {one.schedule_id: one for one in parse_schedules(await world.send(schedules_request(), account))}
        plans = {name: plan for name, plan in world.books.plans.items() if plan.account == account}
        assert told.keys() == {name for name, plan in plans.items() if plan.minutes}, (told, plans)
        for schedule_id, one in told.items():
            plan = plans[schedule_id]
            assert one.paused == plan.paused, (one, plan)
            if plan.paused:
                continue
            if recipients(world, plan):
                assert one.last_at_ms == plan.last_ms, (one, plan)
                assert one.next_at_ms == plan.next_ms, (one, plan)
            if world.rested:
                assert one.next_at_ms is not None, (one, plan)
                assert one.next_at_ms > world.now_ms, f"{schedule_id} should have fired at {one.next_at_ms}"
                plan.last_ms, plan.next_ms = one.last_at_ms, one.next_at_ms


def next_after(at_ms: int, minutes: int) -> int:
    """When a schedule of every ``minutes``, a divisor of an hour, fires next after ``at_ms``."""
    return (at_ms // (minutes * _MINUTE_MS) + 1) * minutes * _MINUTE_MS


def recipients(world: World, plan: Plan) -> list[str]:
    """The URLs that a firing goes to as things stand."""
    destination = plan.publish.destination
    if is_url(destination):
        return [destination]
    return [endpoint.url for endpoint in world.books.groups.get((plan.account, destination), ())]
