"""Flow control: never more calls in a window, or at a time, than the key allows; nobody waits where there is room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from qsops.models import FlowControl, LogEntry, State
from qsops.wire.flow import flow_keys_request, parse_flow_keys
from tests.engine.simulation.model import Key, Sent

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Flows", "doubt", "has_room", "set_limits"]


class Flows:
    """Who had passed as the engine ended counts as a call, though nobody saw it: each possible count is kept."""

    def __init__(self, world: World) -> None:
        self._world = world
        #: Who was passed by, who stood there since when, and when that was.
        self._passed_by: list[tuple[Sent, int, int]] = []

    def on_row(self, row: LogEntry, sent: Sent) -> None:
        self._check_passed_by(row.time_ms)
        if row.state in (State.ERROR, State.DELIVERED):
            self._doubt_if_stopping(row.time_ms)
        if sent.flow is None:
            return
        if row.state == State.CREATED:
            self._meet(sent, sent.flow, row.time_ms)
        if row.state == State.ACTIVE:
            self._check_call(row.time_ms, sent, sent.flow.key)

    def on_new_life(self) -> None:
        """Somebody may have passed, and begun a window, in its last instant."""
        self._passed_by.clear()
        closed_ms = self._world.lives[-2].closed_ms
        assert closed_ms is not None
        for (account, name), key in self._world.books.keys.items():
            most = sum(1 for _ in self._world.books.of_key(account, name))
            doubt(key, closed_ms, most)

    async def at_rest(self) -> None:
        world = self._world
        self._check_passed_by(world.now_ms + 1)
        for account in {account for account, _ in world.books.keys}:
            await self._compare(account)
        if not world.rested:
            return
        for (account, name), key in world.books.keys.items():
            if world.has_room(account):  # else somebody may have passed, and not be called yet
                key.loosest = [key.limits]
            for sent in self._waiting(account, name):
                if sent.queue is None and has_room(world, sent):
                    raise AssertionError(f"{sent.message_id} waits for {name}, where there is room: {key}")

    def _meet(self, sent: Sent, told: FlowControl, now_ms: int) -> None:
        """A message brings its limits along, unless they are pinned."""
        keys = self._world.books.keys
        key = keys.setdefault((sent.account, told.key), Key(told))
        limits = (
            msgspec.structs.replace(told, period_s=key.limits.period_s, rate=key.limits.rate)
            if key.pinned_rate
            else told
        )
        if key.pinned_parallelism:
            limits = msgspec.structs.replace(limits, parallelism=key.limits.parallelism)
        set_limits(key, limits, now_ms)

    def _check_call(self, now_ms: int, sent: Sent, name: str) -> None:
        key = self._world.books.keys[sent.account, name]
        assert not key.paused, f"{sent.message_id} was called, and {name} is paused"
        under_way = sum(one.life is not None for one in self._world.books.of_key(sent.account, name))
        most = [limits.parallelism for limits in key.loosest]
        assert None in most or under_way < max(filter(None, most)), f"{sent.message_id}: {under_way} under way, {key}"
        rates = [limits.rate for limits in key.loosest]
        following = {_with_call(window, key, now_ms) for window in key.windows}
        if None not in rates:
            following = {window for window in following if window[1] <= max(filter(None, rates))}
        assert following, f"{sent.message_id} was called at {now_ms}, too many in one window of {key}"
        key.windows = following
        # Where the account has no room, who has passed waits for it elsewhere.
        if sent.queue is None and self._world.books.full_until_ms[sent.account] < sent.base_ms:
            self._note_passed_by(now_ms, sent, name)

    def _note_passed_by(self, now_ms: int, sent: Sent, name: str) -> None:
        """Who came to the key before ``sent``, and straight to it, is called no later."""
        waiting = [one for one in self._world.books.of_key(sent.account, name) if one.queue is None and one.holds]
        earlier = [one for one in waiting if one.life is None and one.base_ms < sent.base_ms]
        life = self._world.life_at(now_ms)
        if life.number and sent.base_ms <= life.opened_ms:
            # Of those that were brought back as the engine started, the first that was accepted goes first.
            earlier = [one for one in earlier if one.order < sent.order]
        self._passed_by += [(one, one.base_ms, now_ms) for one in earlier]

    def _check_passed_by(self, now_ms: int) -> None:
        for one, base_ms, at_ms in self._passed_by:
            if at_ms < now_ms:
                waits = one.holds and one.life is None and one.base_ms == base_ms
                assert not waits, f"{one.message_id} waits since {base_ms}, and was passed by at {at_ms}"
        self._passed_by = [owed for owed in self._passed_by if owed[2] >= now_ms]

    def _doubt_if_stopping(self, now_ms: int) -> None:
        """What ends while the engine is being stopped may let others pass, and nobody calls them."""
        life = self._world.life_at(now_ms)
        if life.stopped_ms is not None and life.stopped_ms <= now_ms:
            for key in self._world.books.keys.values():
                key.windows.add((now_ms, 0))

    def _waiting(self, account: int, name: str) -> Iterator[Sent]:
        world = self._world
        if not world.has_room(account):
            return
        for one in world.books.of_key(account, name):
            if one.ended_ms is None and one.life is None and one.base_ms <= world.now_ms:
                yield one

    async def _compare(self, account: int) -> None:
        """What the engine tells of its keys."""
        world = self._world
        told = {key.key: key for key in parse_flow_keys(await world.send(flow_keys_request(), account))}
        for (of, name), key in world.books.keys.items():
            if of != account:
                continue
            one, limits = told[name], key.limits
            assert (one.parallelism_max, one.rate_max, one.period_s) == (
                *(limits.parallelism, limits.rate, limits.period_s),
            ), (one, key)
            assert (one.paused, one.pinned_parallelism, one.pinned_rate) == (
                *(key.paused, key.pinned_parallelism, key.pinned_rate),
            ), (one, key)
            if world.rested and world.has_room(account):
                under_way = sum(sent.life is not None for sent in world.books.of_key(account, name))
                assert one.parallelism_count == under_way, (one, under_way)


def has_room(world: World, sent: Sent) -> bool:
    """Whether nothing of its key stands in its way; where several windows are possible, in any of them."""
    assert sent.flow is not None
    key = world.books.keys[sent.account, sent.flow.key]
    if key.paused:
        return False
    under_way = sum(one.life is not None for one in world.books.of_key(sent.account, sent.flow.key))
    if key.limits.parallelism is not None and under_way >= key.limits.parallelism:
        return False
    rate = key.limits.rate
    return rate is None or all(_is_over(window, key, world.now_ms) or window[1] < rate for window in key.windows)


def set_limits(key: Key, limits: FlowControl, now_ms: int) -> None:
    """From now on ``limits`` hold.

    A shorter period may have ended the window, and somebody passed, at once; before a longer one somebody may have
    passed in this instant, too.
    """
    period_ms = 1000 * min(limits.period_s, key.limits.period_s)
    if limits != key.limits and any(now_ms >= start_ms + period_ms for start_ms, _ in key.windows):
        key.windows.add((now_ms, 0))
    key.limits = limits
    key.loosest.append(limits)


def _with_call(window: tuple[int, int], key: Key, now_ms: int) -> tuple[int, int]:
    """One more call: in this window, or if that is over the first of the next."""
    return (now_ms, 1) if _is_over(window, key, now_ms) else (window[0], window[1] + 1)


def doubt(key: Key, at_ms: int, most: int) -> None:
    """Up to ``most`` may have passed by ``at_ms``, or begun a window then, and were not called."""
    begun = {*key.windows, (at_ms, 0)}
    key.windows = {(start_ms, count + passed) for start_ms, count in begun for passed in range(most + 1)}


def _is_over(window: tuple[int, int], key: Key, now_ms: int) -> bool:
    return now_ms >= window[0] + key.limits.period_s * 1000
