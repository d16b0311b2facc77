"""Steps about schedules and URL groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsops.models import Endpoint, Publish, ScheduleSpec
from qsops.wire.destinations import is_url
from qsops.wire.groups import group_add_request, group_delete_request, group_remove_request
from qsops.wire.schedules import (
    schedule_create_request,
    schedule_delete_request,
    schedule_pause_request,
    schedule_resume_request,
)
from tests.engine.simulation.firings import next_after
from tests.engine.simulation.model import Plan

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["DeleteGroup", "DeleteSchedule", "FillGroup", "PauseSchedule", "PutSchedule", "ThinGroup"]


@dataclass(frozen=True, slots=True)
class PutSchedule:
    """Make a schedule that fires every ``minutes``, a divisor of an hour; or put it in the place of another."""

    schedule_id: str
    minutes: int
    publish: Publish
    account: int = 0

    async def take(self, world: World) -> None:
        spec = ScheduleSpec(_cron(self.minutes), self.publish, self.schedule_id)
        response = await world.send(schedule_create_request(spec), self.account)
        destination = self.publish.destination
        if not is_url(destination) and (self.account, destination) not in world.books.groups:
            assert response.status == 404, response
            return
        assert response.status == 200, response
        before = world.books.plans.get(self.schedule_id)
        last_ms = before.last_ms if before is not None and before.minutes else None
        next_ms = next_after(max(world.now_ms, last_ms or 0), self.minutes)
        world.books.plans[self.schedule_id] = Plan(self.account, self.minutes, self.publish, next_ms)


@dataclass(frozen=True, slots=True)
class PauseSchedule:
    """Skip what falls due; or go on with what falls due from now on."""

    schedule_id: str
    paused: bool = True

    async def take(self, world: World) -> None:
        request = (schedule_pause_request if self.paused else schedule_resume_request)(self.schedule_id)
        plan = world.books.plans.get(self.schedule_id)
        known = plan is not None and plan.minutes > 0
        response = await world.send(request, plan.account if plan is not None else 0)
        assert response.status == (200 if known else 404), response
        if plan is None or not known:
            return
        if plan.paused and not self.paused:
            plan.next_ms = next_after(world.now_ms, plan.minutes)
        plan.paused = self.paused


@dataclass(frozen=True, slots=True)
class DeleteSchedule:
    """It fires no more."""

    schedule_id: str

    async def take(self, world: World) -> None:
        plan = world.books.plans.get(self.schedule_id)
        known = plan is not None and plan.minutes > 0
        response = await world.send(schedule_delete_request(self.schedule_id), plan.account if plan is not None else 0)
        assert response.status == (200 if known else 404), response
        if plan is not None:
            plan.minutes = 0


@dataclass(frozen=True, slots=True)
class FillGroup:
    """Add these URLs to a group, which is made if there is none."""

    name: str
    urls: tuple[str, ...]
    account: int = 0

    async def take(self, world: World) -> None:
        endpoints = [Endpoint(url) for url in self.urls]
        response = await world.send(group_add_request(self.name, endpoints), self.account)
        own = [name for account, name in world.books.groups if account == self.account]
        if self.name not in own and world.plan.url_groups is not None and len(own) >= world.plan.url_groups:
            assert response.status == 412, response
            return
        assert response.status == 200, response
        known = world.books.groups.get((self.account, self.name), ())
        world.books.groups[self.account, self.name] = tuple(dict.fromkeys((*known, *endpoints)))


@dataclass(frozen=True, slots=True)
class ThinGroup:
    """Take these URLs out of a group; with the last one it goes."""

    name: str
    urls: tuple[str, ...]
    account: int = 0

    async def take(self, world: World) -> None:
        request = group_remove_request(self.name, [Endpoint(url) for url in self.urls])
        groups, key = world.books.groups, (self.account, self.name)
        response = await world.send(request, self.account)
        assert response.status == (200 if key in groups else 404), response
        left = tuple(endpoint for endpoint in groups.pop(key, ()) if endpoint.url not in self.urls)
        if left:
            groups[key] = left


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """Its messages go on."""

    name: str
    account: int = 0

    async def take(self, world: World) -> None:
        response = await world.send(group_delete_request(self.name), self.account)
        assert response.status == 200, response
        world.books.groups.pop((self.account, self.name), None)


def _cron(minutes: int) -> str:
    if minutes == 60:
        return "0 * * * *"
    return f"*/{minutes} * * * *" if minutes > 1 else "* * * * *"
