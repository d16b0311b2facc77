"""Families of steps: what may happen in one simulation, each drawn from a source of chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from qsops.models import CancelFilter, FlowControl, FlowPin, FlowUnpin, LogFilter, Publish, QueueSpec, State
from tests.engine.simulation.drawing import (
    ANSWERS,
    GROUPS,
    KEYS,
    LABELS,
    QUEUES,
    SLOW,
    URLS,
    Draw,
    draw_flow,
    draw_publish,
)
from tests.engine.simulation.gating import DeleteQueue, PauseKey, PauseQueue, PinKey, ResetKey, SetQueue, UnpinKey
from tests.engine.simulation.living import Advance, Crash, CrashWithin, Restart, Rotate
from tests.engine.simulation.looking import Search, TurnPages
from tests.engine.simulation.planning import (
    DeleteGroup,
    DeleteSchedule,
    FillGroup,
    PauseSchedule,
    PutSchedule,
    ThinGroup,
)
from tests.engine.simulation.sending import Batch, Send, SendAgain
from tests.engine.simulation.taking_back import (
    Cancel,
    CancelWhere,
    DeleteLetter,
    DeleteLetters,
    RetryLetter,
    RetryLetters,
)
from tests.engine.simulation.world import MOMENTS, Step

__all__ = ["FAMILIES", "Family", "Make"]

_ADVANCES_MS: Final = (
    *(0, 1, 500, 999, 1_000, 5_000, 12_000, 60_000),
    *(148_000, 599_999, 600_000, 1_808_000, 3_600_000, 7_200_000),
)
_DOWN_MS: Final = (1, 100, 5_000, 70_000, 3_600_000)
_SCHEDULES: Final = ("daily", "daily", "nightly")
_MINUTES: Final = (1, 5, 20, 60)
_STATES: Final = (State.ERROR, State.IN_PROGRESS, State.DELIVERED)
_NUMBERS: Final = range(50)
#: One of the two accounts does most of it.
_ACCOUNTS: Final = (0, 0, 0, 1)

#: Makes a step of what is drawn.
Make = Callable[[Draw], Step]


@dataclass(frozen=True, slots=True)
class Family:
    """What its messages pass or go to, what else happens, under which plan, and how destinations answer.

    A step that stands twice happens twice as often.
    """

    queues: Sequence[str | None] = (None,)
    keys: Sequence[str | None] = (None,)
    groups: Sequence[str] = ()
    more: tuple[Make, ...] = ()
    quota: str = "payg"
    answers: Sequence[str] = ANSWERS

    @property
    def steps(self) -> tuple[Make, ...]:
        own = (self._send, self._send, self._send, self._batch, self._crash_within, self._cancel_where, self._search)
        return (*own, *_SHARED, *self.more)

    def _publish(self, draw: Draw, *, named: bool = True) -> Publish:
        return draw_publish(draw, queues=self.queues, keys=self.keys, groups=self.groups, named=named)

    def _send(self, draw: Draw) -> Step:
        return Send(self._publish(draw), draw.choice(_ACCOUNTS))

    def _batch(self, draw: Draw) -> Step:
        publishes = tuple(self._publish(draw) for _ in range(draw.choice((2, 3, 4))))
        return Batch(publishes, draw.choice(_ACCOUNTS))

    def _crash_within(self, draw: Draw) -> Step:
        """Of several that share a name, one whose answer is lost would leave open which is the first."""
        count = draw.choice((0, 1, 2, 3))
        publishes = tuple(self._publish(draw, named=False) for _ in range(count))
        return CrashWithin(
            moment=draw.choice(MOMENTS),
            count=draw.choice((1, 2, 3, 4, 5)),
            by_ms=draw.choice(_ADVANCES_MS),
            publishes=publishes,
            down_ms=draw.choice(_DOWN_MS),
            account=draw.choice(_ACCOUNTS),
        )

    def _cancel_where(self, draw: Draw) -> Step:
        filters = [CancelFilter(urls=(url,)) for url in URLS] + [CancelFilter(labels=(label,)) for label in LABELS]
        filters += [CancelFilter(queues=(name,)) for name in self.queues if name is not None]
        filters += [CancelFilter(flow_control_keys=(name,)) for name in self.keys if name is not None]
        return CancelWhere(draw.choice(filters), draw.choice(_ACCOUNTS))

    def _search(self, draw: Draw) -> Step:
        """One value, several, or none of each field."""
        fields = {"urls": URLS, "labels": LABELS, "url_groups": self.groups, "states": _STATES}
        fields["queues"] = [name for name in self.queues if name is not None]
        fields["flow_control_keys"] = [name for name in self.keys if name is not None]
        chosen = [draw.choice([*fields]) for _ in range(draw.choice((1, 2)))]
        wanted = {name: tuple(draw.choice((fields[name][:1], fields[name][1:3]))) for name in chosen}
        return Search(
            LogFilter(**wanted, earliest_first=draw.choice((False, True))),
            count=draw.choice((1, 3, 1_000)),
            newest=draw.choice((0, 0, 0, 1, 2)),
            last_ms=draw.choice((None, None, 1_000, 3_600_000)),
            account=draw.choice(_ACCOUNTS),
        )


_SHARED: Final[tuple[Make, ...]] = (
    lambda draw: Advance(draw.choice(_ADVANCES_MS)),
    lambda draw: Advance(draw.choice(_ADVANCES_MS)),
    lambda draw: Cancel(draw.choice(_NUMBERS), draw.choice(_ACCOUNTS)),
    lambda draw: Crash(draw.choice(_DOWN_MS)),
    lambda draw: Restart(draw.choice(_DOWN_MS)),
    lambda draw: RetryLetter(draw.choice(_NUMBERS), draw.choice(_ACCOUNTS)),
    lambda draw: TurnPages(draw.choice((1, 2, 3, 10)), draw.choice((False, True))),
)
_LETTERS: Final[tuple[Make, ...]] = (
    lambda draw: RetryLetters(draw.choice((1, 2, 5)), draw.choice(_ACCOUNTS)),
    lambda draw: DeleteLetter(draw.choice(_NUMBERS), draw.choice(_ACCOUNTS)),
    lambda draw: DeleteLetters(draw.choice((1, 2, 5)), draw.choice(_ACCOUNTS)),
    lambda draw: Rotate(),
    # Around the ten minutes in which they count as one.
    lambda draw: SendAgain(
        Publish(URLS[0], deduplication_id=draw.choice(("n1", "n3"))), draw.choice((599_999, 600_000, 600_001))
    ),
)
_LANES: Final[tuple[Make, ...]] = (
    lambda draw: SetQueue(
        QueueSpec(draw.choice(QUEUES), draw.choice((1, 2)), draw.choice((None, False, True))), draw.choice(_ACCOUNTS)
    ),
    lambda draw: PauseQueue(draw.choice(QUEUES), draw.choice((True, False)), draw.choice(_ACCOUNTS)),
    lambda draw: DeleteQueue(draw.choice(QUEUES), draw.choice(_ACCOUNTS)),
)
_LIMITS: Final[tuple[Make, ...]] = (
    lambda draw: PauseKey(draw.choice(KEYS), draw.choice((True, False)), draw.choice(_ACCOUNTS)),
    lambda draw: PinKey(draw.choice(KEYS), _draw_pin(draw), draw.choice(_ACCOUNTS)),
    lambda draw: UnpinKey(
        draw.choice(KEYS), draw.choice((FlowUnpin(True, True), FlowUnpin(rate=True))), draw.choice(_ACCOUNTS)
    ),
    lambda draw: ResetKey(draw.choice(KEYS), draw.choice(_ACCOUNTS)),
)
#: More than the plan lets be under way, to whoever takes his time.
_BURSTS: Final[tuple[Make, ...]] = (
    lambda draw: Batch((Publish(draw.choice(URLS), retries=0),) * draw.choice((8, 12)), draw.choice(_ACCOUNTS)),
    lambda draw: Batch((Publish(draw.choice(URLS), retries=0),) * draw.choice((8, 12)), draw.choice(_ACCOUNTS)),
    lambda draw: _keyed_burst(draw),
    lambda draw: Advance(draw.choice((5_000, 10_000, 15_000))),
    lambda draw: Advance(draw.choice((5_000, 10_000, 15_000))),
    lambda draw: ResetKey(draw.choice(KEYS), draw.choice(_ACCOUNTS)),
)


def _keyed_burst(draw: Draw) -> Step:
    """Some wait for the end of a window while those before them wait for room."""
    flow = FlowControl(KEYS[0], rate=draw.choice((1, 2)), period_s=10)
    publish = Publish(draw.choice(URLS), retries=0, flow_control=flow)
    return Batch((publish,) * draw.choice((2, 4)), draw.choice(_ACCOUNTS))


def _draw_pin(draw: Draw) -> FlowPin:
    limits = draw_flow(draw, "")
    return FlowPin(limits.parallelism, limits.rate, limits.period_s if limits.rate is not None else None)


def _plans(family: Family) -> tuple[Make, ...]:
    def put(draw: Draw) -> Step:
        """The schedules of both accounts have names of their own, so that the books need only one."""
        account = draw.choice(_ACCOUNTS)
        name = f"{draw.choice(_SCHEDULES)}-{account}"
        return PutSchedule(name, draw.choice(_MINUTES), _template(draw, family), account)

    def named(draw: Draw) -> str:
        return f"{draw.choice(_SCHEDULES)}-{draw.choice(_ACCOUNTS)}"

    return (
        put,
        put,
        lambda draw: PauseSchedule(named(draw), True),
        lambda draw: PauseSchedule(named(draw), False),
        lambda draw: DeleteSchedule(named(draw)),
        lambda draw: FillGroup(draw.choice(GROUPS), _some_urls(draw), draw.choice(_ACCOUNTS)),
        lambda draw: FillGroup(draw.choice(GROUPS), _some_urls(draw), draw.choice(_ACCOUNTS)),
        lambda draw: ThinGroup(draw.choice(GROUPS), _some_urls(draw), draw.choice(_ACCOUNTS)),
        lambda draw: DeleteGroup(draw.choice(GROUPS), draw.choice(_ACCOUNTS)),
    )


def _template(draw: Draw, family: Family) -> Publish:
    """Each message of a schedule has the same body."""
    drawn = draw_publish(draw, queues=family.queues, keys=family.keys, groups=GROUPS, named=False)
    return msgspec.structs.replace(drawn, body=b"of a schedule")


def _some_urls(draw: Draw) -> tuple[str, ...]:
    return tuple(draw.choice(([URLS[0]], [URLS[1]], URLS)))


_QUEUED: Final = (None, *QUEUES, *QUEUES)
_KEYED: Final = (None, *KEYS, *KEYS)
_MIXED: Final = Family((None, *QUEUES), (None, *KEYS), GROUPS)

FAMILIES: Final = {
    "messages": Family(more=_LETTERS),
    "queues": Family(queues=_QUEUED, more=_LANES),
    "keys": Family(keys=_KEYED, more=_LIMITS),
    "queues and keys": Family(queues=_QUEUED, keys=_KEYED, more=(*_LANES, *_LIMITS)),
    "schedules": Family(groups=GROUPS, more=_plans(Family())),
    "crowd": Family(queues=(None, None, QUEUES[0]), keys=_KEYED, more=_BURSTS, quota="free", answers=SLOW),
    "everything": replace(_MIXED, more=(*_LETTERS, *_LANES, *_LIMITS, *_plans(_MIXED)), quota="free"),
}
