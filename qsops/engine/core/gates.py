"""Gates: a queue, then a flow-control key, which a message passes before each attempt.

A message stands at a gate in the order of its ticket. Whatever may let somebody pass (a place that was given back, a
limit that was changed, a window that ended) ends in :func:`open_queue` or :func:`open_flow`, which let pass all that
may, and nobody polls. Everything is in the database, so a restart finds each message where it stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from qsops.engine.core.flow import (
    count_call,
    current_window,
    give_back,
    keep_window,
    key_of,
    limits_of,
    under_way,
    wake_at,
)
from qsops.engine.core.queues import forget_if_empty, room_of
from qsops.models import Message

__all__ = ["arrive_due", "begin", "enrol", "leave", "open_flow", "open_queue", "place_of", "step_back", "withdraw"]

#: How many messages pass, or arrive, in one call: each holds up whoever waits for the next commit.
_AT_ONCE: Final = 500

_MAY_BE_CALLED: Final = 1

_ENROL: Final = "insert into gated (message, queue, flow, place) values (?, ?, ?, ?)"
_READ: Final = "select message, queue, flow, place, passed from gated where message = ?"
_KNOCK: Final = "update progress set stage = 1, gated = 1, due_ms = ? where message = ?"
#: Behind all who wait there. Whoever was brought back stands before them, under a ticket below 1.
_AT_QUEUE: Final = """
    update gated set passed = 0, waits = 1,
        ticket = (
            select max(coalesce(max(g.ticket), 0), 0) + 1 from gated g where g.queue = gated.queue and g.waits = 1
        )
    where message = ?
"""
_AT_FLOW: Final = """
    update gated set passed = 0, waits = 2,
        ticket = (
            select max(coalesce(max(g.ticket), 0), 0) + 1 from gated g where g.flow = gated.flow and g.waits = 2
        )
    where message = ?
"""
_WAIT: Final = "update progress set stage = 2, gated = 1, due_ms = ? where message = ?"
_PASS: Final = "update gated set waits = 0, passed = 1 where message = ?"
_GO: Final = "update progress set stage = 0, gated = 1, due_ms = ? where message = ?"
_BEGIN: Final = "update gated set passed = 2, waits = 0 where message = ? returning flow"
_GOES: Final = "update progress set stage = 0 where message = ? and stage = 2"
_TAKE_PLACE: Final = "update gated set waits = 0, place = message where message = ?"
_STEP_BACK: Final = "update gated set waits = 0, passed = 0 where message = ?"
_DELETE: Final = "delete from gated where message = ?"
_KNOCKING: Final = """
    select message from progress where stage = 1 and due_ms is not null and due_ms <= ? order by due_ms, message limit ?
"""
_PLACES: Final = "select count(distinct place) from gated where queue = ? and place is not null"
#: Who held a place as the queue was paused goes on first.
_NEXT_WITH_PLACE: Final = """
    select message, queue, flow, place, passed from gated where queue = ? and place is not null and waits = 1
    order by place limit 1
"""
_NEXT_IN_QUEUE: Final = """
    select message, queue, flow, place, passed from gated where queue = ? and waits = 1 and place is null
    order by ticket limit 1
"""
_NEXT_AT_FLOW: Final = "select message from gated where flow = ? and waits = 2 order by ticket limit ?"
#: It is closed when it would have been tried next: at once, if it only waited.
_TO_BE_CLOSED: Final = "update progress set stage = 0 where message = ? and stage > 0"


class _Gated(NamedTuple):
    message: int
    queue: int | None
    flow: int | None
    place: int | None
    #: 1, it may be called; 2, it was.
    passed: int = 0

    @property
    def reports(self) -> bool:
        """Whether it is a callback, which holds the place of another."""
        return self.place is not None and self.place != self.message


def enrol(
    connection: Connection,
    account: int,
    seq: int,
    message: Message,
    now_ms: int,
    *,
    queue: int | None,
    place: int | None = None,
) -> None:
    """Bring a new message before its gates, ``queue`` by its number; one that is delayed comes when it is due.

    With ``place`` it is a callback: it passes freely, and keeps the place of that message until it has ended.
    """
    if place is not None:
        holder = _read(connection, place)
        connection.execute(_ENROL, (seq, holder.queue if holder else None, None, place))
        connection.execute(_GO, (message.not_before_ms, seq))
        return
    flow = key_of(connection, account, message.flow_control, now_ms) if message.flow_control is not None else None
    connection.execute(_ENROL, (seq, queue, flow, None))
    if message.not_before_ms > now_ms:
        connection.execute(_KNOCK, (message.not_before_ms, seq))
    else:
        _arrive(connection, _Gated(seq, queue, flow, None), now_ms)
    if flow is not None and (queue is not None or message.not_before_ms > now_ms):
        # It may not have come to the key yet, and yet have brought wider limits for those who wait there.
        open_flow(connection, flow, now_ms)


def arrive_due(connection: Connection, now_ms: int) -> None:
    """Bring those before their gates whose time has come."""
    for (seq,) in connection.execute(_KNOCKING, (now_ms, _AT_ONCE)).fetchall():
        gated = _read(connection, seq)
        assert gated is not None, f"message {seq} knocks, and has no gate"
        _arrive(connection, gated, now_ms)


def begin(connection: Connection, seqs: Sequence[int], now_ms: int) -> bool:
    """Attempts of those that had passed were started, whoever was to be brought back meanwhile.

    Returns whether that changes when somebody else may pass.
    """
    changes = False
    for seq in seqs:
        for (flow,) in connection.execute(_BEGIN, (seq,)).fetchall():
            if flow is not None and (from_ms := count_call(connection, flow, now_ms)) is not None:
                open_flow(connection, flow, from_ms)
                changes = True
        connection.execute(_GOES, (seq,))
    return changes


def step_back(connection: Connection, seq: int, now_ms: int) -> None:
    """An attempt of ``seq`` failed and another follows: it keeps its place, and gives its call back."""
    connection.execute(_STEP_BACK, (seq,))
    gated = _read(connection, seq)
    if gated is not None and gated.flow is not None:
        open_flow(connection, gated.flow, now_ms)


def leave(connection: Connection, seq: int, now_ms: int) -> None:
    """``seq`` is over: who waits behind it may go on."""
    gated = _read(connection, seq)
    if gated is None:
        return
    connection.execute(_DELETE, (seq,))
    if gated.flow is not None:
        if gated.passed == _MAY_BE_CALLED:
            give_back(connection, gated.flow)
        open_flow(connection, gated.flow, now_ms)
    if gated.queue is not None:
        open_queue(connection, gated.queue, now_ms)
        forget_if_empty(connection, gated.queue)


def withdraw(connection: Connection, seq: int, now_ms: int) -> None:
    """``seq`` was taken back. Unless an attempt of it may be under way, it holds up nobody from now on."""
    if connection.execute(_TO_BE_CLOSED, (seq,)).rowcount:
        leave(connection, seq, now_ms)


def place_of(connection: Connection, seq: int) -> int | None:
    """The place in a queue that a message holds, by the number of the message whose it is."""
    gated = _read(connection, seq)
    return gated.place if gated else None


def open_queue(connection: Connection, queue: int, now_ms: int) -> None:
    """Let those go on whom ``queue`` has room for: no more at a time than its parallelism."""
    while (gated := _next_of_queue(connection, queue)) is not None:
        connection.execute(_TAKE_PLACE, (gated.message,))
        _come_to_flow(connection, gated, now_ms)


def open_flow(connection: Connection, flow: int, now_ms: int) -> None:
    """Let those go on whom the key ``flow`` admits, and note when time lets the next one pass."""
    limits, latest = limits_of(connection, flow)
    window = current_window(connection, flow, limits, latest, now_ms)
    room = limits.room(window, 0 if limits.parallelism is None else under_way(connection, flow))
    most = _AT_ONCE if room is None else min(room, _AT_ONCE)
    waiting = [seq for (seq,) in connection.execute(_NEXT_AT_FLOW, (flow, most + 1))]
    passing = waiting[:most]
    _pass(connection, passing, now_ms)
    window = window.with_passing(len(passing), latest)
    if window.count and window != latest:
        # Who waits for something else begins no window.
        keep_window(connection, flow, window)
    rest = len(waiting) > len(passing)
    if rest and len(passing) == _AT_ONCE:
        # More than one call may take: the rest comes at once, in the next.
        return wake_at(connection, flow, now_ms)
    # One that is over still awaits its first call, which brings everybody back here.
    waits = rest and not limits.is_over(window, now_ms)
    return wake_at(connection, flow, limits.opens_ms(window) if waits else None)


def _arrive(connection: Connection, gated: _Gated, now_ms: int) -> None:
    if gated.reports:
        connection.execute(_GO, (now_ms, gated.message))
    elif gated.queue is None:
        _come_to_flow(connection, gated, now_ms)
    else:
        connection.execute(_AT_QUEUE, (gated.message,))
        connection.execute(_WAIT, (now_ms, gated.message))
        open_queue(connection, gated.queue, now_ms)


def _come_to_flow(connection: Connection, gated: _Gated, now_ms: int) -> None:
    if gated.flow is None:
        return _pass(connection, [gated.message], now_ms)
    connection.execute(_AT_FLOW, (gated.message,))
    connection.execute(_WAIT, (now_ms, gated.message))
    return open_flow(connection, gated.flow, now_ms)


def _pass(connection: Connection, seqs: list[int], now_ms: int) -> None:
    for seq in seqs:
        connection.execute(_PASS, (seq,))
        connection.execute(_GO, (now_ms, seq))


def _next_of_queue(connection: Connection, queue: int) -> _Gated | None:
    room = room_of(connection, queue)
    if room == 0:  # it is paused
        return None
    held = connection.execute(_NEXT_WITH_PLACE, (queue,)).fetchone()
    if held is not None:
        return _Gated(*held)
    (taken,) = connection.execute(_PLACES, (queue,)).fetchone()
    following = connection.execute(_NEXT_IN_QUEUE, (queue,)).fetchone() if taken < room else None
    return _Gated(*following) if following else None


def _read(connection: Connection, seq: int) -> _Gated | None:
    row: Any = connection.execute(_READ, (seq,)).fetchone()
    return _Gated(*row) if row else None
