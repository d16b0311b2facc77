"""Steps about queues and flow-control keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from qsops.models import FlowPin, FlowUnpin, QueueSpec
from qsops.wire.flow import (
    flow_pause_request,
    flow_pin_request,
    flow_reset_rate_request,
    flow_resume_request,
    flow_unpin_request,
)
from qsops.wire.http import Request
from qsops.wire.queues import (
    queue_delete_request,
    queue_pause_request,
    queue_resume_request,
    queue_upsert_request,
)
from tests.engine.simulation.flows import set_limits
from tests.engine.simulation.model import Key, Lane

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["DeleteQueue", "PauseKey", "PauseQueue", "PinKey", "ResetKey", "SetQueue", "UnpinKey"]


@dataclass(frozen=True, slots=True)
class SetQueue:
    """Make a queue, or change it."""

    spec: QueueSpec
    account: int = 0

    async def take(self, world: World) -> None:
        response = await world.send(queue_upsert_request(self.spec), self.account)
        assert response.status == 200, response
        lanes, key = world.books.lanes, (self.account, self.spec.name)
        if key not in lanes or lanes[key].deleted:
            before = lanes.get(key)
            lanes[key] = Lane(widest=before.widest if before else 1)
        lane = lanes[key]
        lane.parallelism = self.spec.parallelism
        lane.widest = max(lane.widest, lane.parallelism)
        if self.spec.paused is not None:
            lane.paused = self.spec.paused


@dataclass(frozen=True, slots=True)
class PauseQueue:
    """Pause it; or let it go on."""

    name: str
    paused: bool = True
    account: int = 0

    async def take(self, world: World) -> None:
        request = (queue_pause_request if self.paused else queue_resume_request)(self.name)
        lane = world.books.lanes.get((self.account, self.name))
        known = lane is not None and not lane.deleted
        response = await world.send(request, self.account)
        assert response.status == (200 if known else 404), response
        if lane is not None and known:
            lane.paused = self.paused


@dataclass(frozen=True, slots=True)
class DeleteQueue:
    """Its messages go on in their order."""

    name: str
    account: int = 0

    async def take(self, world: World) -> None:
        response = await world.send(queue_delete_request(self.name), self.account)
        assert response.status == 200, response
        lane = world.books.lanes.get((self.account, self.name))
        if lane is not None:
            lane.deleted, lane.paused = True, False


@dataclass(frozen=True, slots=True)
class PauseKey:
    """Pause it; or let it go on."""

    name: str
    paused: bool = True
    account: int = 0

    async def take(self, world: World) -> None:
        request = (flow_pause_request if self.paused else flow_resume_request)(self.name)
        if (key := await _act(world, request, self.account, self.name)) is not None:
            key.paused = self.paused


@dataclass(frozen=True, slots=True)
class PinKey:
    """Messages change these limits no more, and a window begins."""

    name: str
    pin: FlowPin
    account: int = 0

    async def take(self, world: World) -> None:
        key = await _act(world, flow_pin_request(self.name, self.pin), self.account, self.name)
        if key is None:
            return
        told = {"parallelism": self.pin.parallelism, "rate": self.pin.rate, "period_s": self.pin.period_s}
        limits = msgspec.structs.replace(
            key.limits, **{name: value for name, value in told.items() if value is not None}
        )
        key.pinned_parallelism |= self.pin.parallelism is not None
        key.pinned_rate |= self.pin.rate is not None
        set_limits(key, limits, world.now_ms)
        key.windows = {(world.now_ms, 0)}


@dataclass(frozen=True, slots=True)
class UnpinKey:
    """Messages may change these limits again."""

    name: str
    unpin: FlowUnpin
    account: int = 0

    async def take(self, world: World) -> None:
        key = await _act(world, flow_unpin_request(self.name, self.unpin), self.account, self.name)
        if key is not None:
            key.pinned_parallelism &= not self.unpin.parallelism
            key.pinned_rate &= not self.unpin.rate


@dataclass(frozen=True, slots=True)
class ResetKey:
    """A window begins."""

    name: str
    account: int = 0

    async def take(self, world: World) -> None:
        key = await _act(world, flow_reset_rate_request(self.name), self.account, self.name)
        if key is not None:
            key.windows = {(world.now_ms, 0)}


async def _act(world: World, request: Request, account: int, name: str) -> Key | None:
    """Send ``request``; the key that it changed."""
    key = world.books.keys.get((account, name))
    response = await world.send(request, account)
    assert response.status == (404 if key is None else 200), response
    return key
