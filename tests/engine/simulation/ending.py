"""The step at which everything comes to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsops import fold, frames
from qsops.models import State
from tests.engine.simulation.gating import PauseKey, PauseQueue
from tests.engine.simulation.living import Welcome
from tests.engine.simulation.looking import TurnPages
from tests.engine.simulation.model import FINAL
from tests.engine.simulation.planning import DeleteSchedule

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Finish"]

#: By then everything is over: no retry waits longer than a day, no answer longer than its timeout.
_LIMIT_MS: Final = 2 * 86_400_000
_FIRST_LOOK_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Finish:
    """Destinations mend, all that is paused goes on, and time passes until nothing is pending."""

    async def take(self, world: World) -> None:
        await Welcome().take(world)
        for account, name in [key for key, lane in world.books.lanes.items() if lane.paused]:
            await PauseQueue(name, False, account).take(world)
        for account, name in [key for key, one in world.books.keys.items() if one.paused]:
            await PauseKey(name, False, account).take(world)
        for schedule_id in [name for name, plan in world.books.plans.items() if plan.minutes]:
            await DeleteSchedule(schedule_id).take(world)
        await self._settle(world)
        for page in (TurnPages(7), TurnPages(1_000, earliest_first=True)):
            await page.take(world)
        for account in range(len(world.books.log)):
            _fold(world, account)

    async def _settle(self, world: World) -> None:
        """The clock goes on by more each time, so that a long wait takes few looks."""
        step_ms, until_ms = _FIRST_LOOK_MS, world.now_ms + _LIMIT_MS
        while world.now_ms < until_ms:
            await world.advance(step_ms)
            await world.audit.run()
            if not any(sent.ended_ms is None for sent in world.books.pending.values()):
                return
            step_ms = min(2 * step_ms, until_ms - world.now_ms)
        left = [sent for sent in world.books.pending.values() if sent.ended_ms is None]
        raise AssertionError(f"still pending at the end: {left}")


def _fold(world: World, account: int) -> None:
    """What the toolkit makes of the log is what happened."""
    log = world.books.log[account]
    if not log:
        return
    folded = fold.fold(frames.logs(log))
    states = dict(zip(folded.messages["message_id"], folded.messages["state"], strict=True))
    tried = folded.attempts["message_id"].value_counts().to_dict()
    for sent in world.books.messages.values():
        if sent.account == account:
            assert sent.states[-1] in FINAL, sent
            assert states[sent.message_id] == sent.states[-1], sent
            assert tried.get(sent.message_id, 0) == sent.states.count(State.ACTIVE), sent
