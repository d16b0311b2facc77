"""Queues: first come, first served; no more at a time than the parallelism; a place is held to the very end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qsops.models import LogEntry, State
from qsops.wire.queues import parse_queues, queues_request
from tests.engine.simulation.flows import has_room
from tests.engine.simulation.model import Lane, Sent

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Lanes"]


class Lanes:
    def __init__(self, world: World) -> None:
        self._world = world
        #: Who was passed by, when, and by whom; where several go at once any of them may be called first.
        self._passed_by: list[tuple[Sent, int, Sent]] = []

    def on_row(self, row: LogEntry, sent: Sent) -> None:
        self._check_passed_by(row.time_ms)
        if sent.queue is None:
            return
        if row.state == State.CREATED:
            self._make(sent)
        if row.state == State.ACTIVE:
            lane = self._lane(sent)
            assert not lane.paused, f"{sent.message_id} was called, and its queue is paused"
            if not sent.tried:
                self._check_turn(row.time_ms, sent, lane)

    def on_new_life(self) -> None:
        self._passed_by.clear()

    async def at_rest(self) -> None:
        world = self._world
        self._check_passed_by(world.now_ms + 1)
        for account in {account for account, _ in world.books.lanes}:
            await self._compare(account)
        if not world.rested:
            return
        for (account, name), lane in world.books.lanes.items():
            members = [*world.books.of_lane(account, name)]
            # Who waits for a key has had its place since the queue was wider.
            if not any(one.flow is not None and not one.tried and one.holds for one in members):
                lane.widest = lane.parallelism
            if not lane.paused:
                self._check_nobody_waits_idly(members, lane)

    def _check_turn(self, at_ms: int, sent: Sent, lane: Lane) -> None:
        """Who is called for the first time has a place, and nobody who came earlier could have had it."""
        others = [one for one in self._world.books.of_lane(sent.account, sent.queue or "") if one is not sent]
        ahead = [one for one in others if one.holds_place and (one.tried or _before(one, sent))]
        assert len(ahead) < lane.widest, f"{sent.message_id} was called before its turn, behind {_names(ahead)}"
        self._passed_by += [(one, at_ms, sent) for one in ahead if not one.tried and one.flow is None and one.holds]

    def _check_passed_by(self, now_ms: int) -> None:
        for one, at_ms, sent in self._passed_by:
            if at_ms < now_ms:
                assert one.tried or not one.holds, f"{sent.message_id} was called before {one.message_id}"
        self._passed_by = [owed for owed in self._passed_by if owed[1] >= now_ms]

    def _check_nobody_waits_idly(self, members: list[Sent], lane: Lane) -> None:
        now_ms = self._world.now_ms
        for sent in members:
            if sent.ended_ms is not None or sent.life is not None or sent.base_ms > now_ms:
                continue
            others = [one for one in members if one is not sent and one.holds_place and _has_come(one, now_ms)]
            ahead = [one for one in others if one.tried or not _before(sent, one)]
            if (sent.tried or len(ahead) < lane.parallelism) and self._has_room_beside(sent):
                raise AssertionError(f"{sent.message_id} waits, and nobody is in its way")

    def _has_room_beside(self, sent: Sent) -> bool:
        world = self._world
        return world.has_room(sent.account) and (sent.flow is None or has_room(world, sent))

    def _make(self, sent: Sent) -> None:
        lanes = self._world.books.lanes
        key = (sent.account, sent.queue or "")
        if key not in lanes or lanes[key].deleted:
            before = lanes.get(key)
            lanes[key] = Lane(widest=before.widest if before else 1)

    def _lane(self, sent: Sent) -> Lane:
        return self._world.books.lanes[sent.account, sent.queue or ""]

    async def _compare(self, account: int) -> None:
        """What the engine tells of its queues."""
        world = self._world
        told = {queue.name: queue for queue in parse_queues(await world.send(queues_request(), account))}
        lanes = {name: lane for (of, name), lane in world.books.lanes.items() if of == account and not lane.deleted}
        assert told.keys() == lanes.keys(), (told, lanes)
        for name, lane in lanes.items():
            assert (told[name].parallelism, told[name].paused) == (lane.parallelism, lane.paused), (told[name], lane)
            # What was taken back is closed when the account has room for it.
            if world.rested and world.has_room(account):
                lag = sum(one.holds for one in world.books.of_lane(account, name))
                assert told[name].lag == lag, f"{name}: {told[name].lag} wait or are under way, not {lag}"


def _before(one: Sent, other: Sent) -> bool:
    """Whether ``one`` came before the queue ahead of ``other``; of those that came at once any may be first."""
    if one.due_ms != other.due_ms:
        return one.due_ms < other.due_ms
    return one.order < other.order and not _was_delayed(one) and not _was_delayed(other)


def _was_delayed(sent: Sent) -> bool:
    return sent.due_ms > sent.accepted_ms


def _has_come(sent: Sent, now_ms: int) -> bool:
    return sent.tried or sent.due_ms <= now_ms


def _names(members: Iterable[Sent]) -> str:
    return ", ".join(one.message_id for one in members)
