"""Gates: a queue, then a flow-control key, which a message passes before each attempt.

A message stands at a gate in the order of its ticket. Whatever may let somebody pass (a place that was given back, a
limit that was changed, a window that ended) ends in :func:`open_queue` or :func:`open_flow`, which let pass all that
may, and nobody polls. Everything is in the database, so a restart finds each message where it stood.
"""

from __future__ import annotations

from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from qsops.engine.core.flow import keep_window, key_of, limits_of, wake_at
from qsops.engine.core.limits import admits, opens_ms
from qsops.engine.core.queues import queue_of
from qsops.models import Message

__all__ = ["arrive_due", "enrol", "leave", "open_flow", "open_queue", "place_of", "step_back", "withdraw"]

_AT_QUEUE: Final = 1
_AT_FLOW: Final = 2

#: How many messages pass, or arrive, in one call: each holds up whoever waits for the next commit.
_AT_ONCE: Final = 500

_ENROL: Final = "insert into gated (message, queue, flow, place) values (?, ?, ?, ?)"
_READ: Final = "select message, queue, flow, place from gated where message = ?"
_KNOCK: Final = "update progress set stage = 1, gated = 1, due_ms = ? where message = ?"
_STAND: Final = """
    update gated set waits = ?, ticket = (select coalesce(max(ticket), 0) + 1 from gated where {gate} = ? and waits = ?)
    where message = ?
"""
_WAIT: Final = "update progress set stage = 2, gated = 1, due_ms = ? where message = ?"
_PASS: Final = "update progress set stage = 0, gated = 1, due_ms = ? where message = ?"
_SLOT: Final = "update gated set waits = 0, slot = 1 where message = ?"
_NO_LONGER_WAITS: Final = "update gated set waits = 0 where message = ?"
_TAKE_PLACE: Final = "update gated set waits = 0, place = message where message = ?"
_GIVE_SLOT_BACK: Final = "update gated set slot = 0 where message = ?"
_DELETE: Final = "delete from gated where message = ?"
_KNOCKING: Final = """
    select message from progress where stage = 1 and due_ms is not null and due_ms <= ? order by due_ms, message limit ?
"""
_QUEUE: Final = "select parallelism, paused from queues where queue = ?"
_PLACES: Final = "select count(distinct place) from gated where queue = ? and place is not null"
#: Who held a place as the queue was paused goes on first.
_NEXT_WITH_PLACE: Final = """
    select message, queue, flow, place from gated where queue = ? and place is not null and waits = 1
    order by place limit 1
"""
_NEXT_IN_QUEUE: Final = """
    select message, queue, flow, place from gated where queue = ? and waits = 1 and place is null
    order by ticket limit 1
"""
_NEXT_AT_FLOW: Final = "select message from gated where flow = ? and waits = 2 order by ticket limit 1"
_SLOTS: Final = "select count(*) from gated where flow = ? and slot = 1"
#: It is closed when it would have been tried next: at once, if it only waited.
_TO_BE_CLOSED: Final = "update progress set stage = 0 where message = ? and stage > 0"


class _Gated(NamedTuple):
    message: int
    queue: int | None
    flow: int | None
    place: int | None


def enrol(
    connection: Connection, account: int, seq: int, message: Message, now_ms: int, place: int | None = None
) -> None:
    """Bring a new message before its gates; one that is delayed comes when it is due.

    With ``place`` it is a callback: it passes freely, and keeps the place of that message until it has ended.
    """
    if place is not None:
        holder = _read(connection, place)
        connection.execute(_ENROL, (seq, holder.queue if holder else None, None, place))
        connection.execute(_PASS, (message.not_before_ms, seq))
        return
    queue = queue_of(connection, account, message.queue, now_ms) if message.queue is not None else None
    flow = key_of(connection, account, message.flow_control) if message.flow_control is not None else None
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


def step_back(connection: Connection, seq: int, now_ms: int) -> None:
    """An attempt of ``seq`` failed and another follows: it keeps its place, and gives its call back."""
    connection.execute(_GIVE_SLOT_BACK, (seq,))
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
        open_flow(connection, gated.flow, now_ms)
    if gated.queue is not None:
        open_queue(connection, gated.queue, now_ms)


def withdraw(connection: Connection, seq: int, now_ms: int) -> None:
    """``seq`` was taken back. Unless an attempt of it may be under way, it holds up nobody from now on."""
    if connection.execute(_TO_BE_CLOSED, (seq,)).rowcount:
        leave(connection, seq, now_ms)


def place_of(connection: Connection, seq: int) -> int | None:
    """The place in a queue that a message holds, by the number of the message whose it is."""
    gated = _read(connection, seq)
    return gated.place if gated else None


def open_queue(connection: Connection, queue: int, now_ms: int) -> None:
    """Let those go on whom ``queue`` has room for."""
    for _ in range(_AT_ONCE):
        gated = _next_of_queue(connection, queue)
        if gated is None:
            return
        connection.execute(_NO_LONGER_WAITS if gated.place else _TAKE_PLACE, (gated.message,))
        _pass_flow(connection, gated, now_ms)


def open_flow(connection: Connection, flow: int, now_ms: int) -> None:
    """Let those go on whom the key ``flow`` admits, and note when time lets the next one pass."""
    limits, window = limits_of(connection, flow)
    under_way = 0 if limits.parallelism is None else connection.execute(_SLOTS, (flow,)).fetchone()[0]
    waiting = connection.execute(_NEXT_AT_FLOW, (flow,)).fetchone()
    for _ in range(_AT_ONCE):
        passed = admits(limits, window, under_way, now_ms) if waiting else None
        if passed is None:
            break
        connection.execute(_SLOT, waiting)
        connection.execute(_PASS, (now_ms, *waiting))
        keep_window(connection, flow, passed)
        window, under_way = passed, under_way + 1
        waiting = connection.execute(_NEXT_AT_FLOW, (flow,)).fetchone()
    else:
        # More than one call may take: the rest comes at once, in the next.
        return wake_at(connection, flow, now_ms if waiting else None)
    return wake_at(connection, flow, opens_ms(limits, window, now_ms) if waiting else None)


def _arrive(connection: Connection, gated: _Gated, now_ms: int) -> None:
    if gated.queue is None:
        return _pass_flow(connection, gated, now_ms)
    _stand(connection, gated.message, _AT_QUEUE, gated.queue, now_ms)
    return open_queue(connection, gated.queue, now_ms)


def _pass_flow(connection: Connection, gated: _Gated, now_ms: int) -> None:
    if gated.flow is None:
        connection.execute(_PASS, (now_ms, gated.message))
        return
    _stand(connection, gated.message, _AT_FLOW, gated.flow, now_ms)
    open_flow(connection, gated.flow, now_ms)


def _stand(connection: Connection, seq: int, gate: int, number: int, now_ms: int) -> None:
    column = "queue" if gate == _AT_QUEUE else "flow"
    connection.execute(_STAND.format(gate=column), (gate, number, gate, seq))
    connection.execute(_WAIT, (now_ms, seq))


def _next_of_queue(connection: Connection, queue: int) -> _Gated | None:
    row = connection.execute(_QUEUE, (queue,)).fetchone()
    if row is None or row[1]:  # deleted, or paused
        return None
    held = connection.execute(_NEXT_WITH_PLACE, (queue,)).fetchone()
    if held is not None:
        return _Gated(*held)
    (taken,) = connection.execute(_PLACES, (queue,)).fetchone()
    following = connection.execute(_NEXT_IN_QUEUE, (queue,)).fetchone() if taken < row[0] else None
    return _Gated(*following) if following else None


def _read(connection: Connection, seq: int) -> _Gated | None:
    row: Any = connection.execute(_READ, (seq,)).fetchone()
    return _Gated(*row) if row else None
