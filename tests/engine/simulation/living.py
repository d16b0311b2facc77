"""Steps of the engine's life: time passes, it is stopped, it dies, its keys are rotated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsops.models import Publish
from qsops.wire.keys import parse_keys, rotate_request
from qsops.wire.publishing import publish_request
from tests.engine.simulation.sending import receive, with_body

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Advance", "Crash", "CrashWithin", "Restart", "Rotate", "Welcome"]


@dataclass(frozen=True, slots=True)
class Advance:
    """Time passes."""

    by_ms: int

    async def take(self, world: World) -> None:
        await world.advance(min(self.by_ms, world.left_ms))


@dataclass(frozen=True, slots=True)
class Restart:
    """The engine is stopped, and started again ``down_ms`` later."""

    down_ms: int = 1

    async def take(self, world: World) -> None:
        await world.restart(self.down_ms)


@dataclass(frozen=True, slots=True)
class Crash:
    """The engine dies between two requests, with whatever is under way."""

    down_ms: int = 1

    async def take(self, world: World) -> None:
        await world.crash(self.down_ms)


@dataclass(frozen=True, slots=True)
class CrashWithin:
    """It dies while ``publishes`` are sent at once and time passes: at the ``count``-th ``moment``."""

    moment: str
    count: int = 1
    by_ms: int = 0
    publishes: tuple[Publish, ...] = ()
    down_ms: int = 1
    account: int = 0

    async def take(self, world: World) -> None:
        asked = [with_body(world, publish) for publish in self.publishes]
        sent_ms = world.now_ms
        work = [world.send(publish_request(publish), self.account) for publish in asked]
        answers = await world.crash_within(work, min(self.by_ms, world.left_ms), self.moment, self.count, self.down_ms)
        for publish, answer in zip(asked, answers, strict=True):
            if answer is None:
                world.books.doubtful.append((self.account, publish))
            else:
                receive(world, self.account, publish, answer, at_ms=sent_ms)


@dataclass(frozen=True, slots=True)
class Rotate:
    """The next signing key becomes the current one."""

    async def take(self, world: World) -> None:
        response = await world.send(rotate_request())
        assert response.status == 200, response
        world.keys[0] = parse_keys(response).current


@dataclass(frozen=True, slots=True)
class Welcome:
    """From now on every destination answers every request with success."""

    async def take(self, world: World) -> None:
        world.destinations.welcoming = True
