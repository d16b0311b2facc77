"""Queues as rows."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.plans import Plan
from qsops.errors import Rejected
from qsops.models import Queue
from qsops.wire import texts

__all__ = ["forget_if_empty", "make_queue", "number_of", "queue_named", "queue_of", "queues", "room_of"]

_NUMBER: Final = "select queue, deleted from queues where account = ? and name = ?"
_COUNT: Final = "select count(*) from queues where account = ? and deleted = 0"
#: One that was deleted and still has messages goes on under its name, so that they keep their order with new ones.
_MAKE: Final = """
    insert into queues (account, name, created_ms, updated_ms, parallelism, paused) values (?, ?, ?, ?, 1, 0)
    on conflict (account, name) do update set created_ms = excluded.created_ms, updated_ms = excluded.updated_ms,
        parallelism = excluded.parallelism, paused = excluded.paused, deleted = 0
    returning queue
"""
_FORGET: Final = """
    delete from queues
    where queue = ? and deleted = 1 and not exists (select 1 from gated g where g.queue = queues.queue)
"""
_ROOM: Final = "select parallelism, paused from queues where queue = ?"
#: A callback stands among the messages of the queue, but is not one of them.
_READ: Final = """
    select q.name, q.created_ms, q.updated_ms, q.parallelism, q.paused,
        (select count(*) from gated g where g.queue = q.queue and (g.place is null or g.place = g.message))
    from queues q where q.account = ? and q.deleted = 0 {} order by q.name
"""


def queues(connection: Connection, account: int) -> list[Queue]:
    """All queues, by name."""
    return [_queue(row) for row in connection.execute(_READ.format(""), (account,))]


def queue_named(connection: Connection, account: int, name: str) -> Queue | None:
    """The queue ``name``, if there is one."""
    row = connection.execute(_READ.format("and q.name = ?"), (account, name)).fetchone()
    return _queue(row) if row else None


def number_of(connection: Connection, account: int, name: str) -> int | None:
    """The number of the queue ``name``, if there is one."""
    row = connection.execute(_NUMBER, (account, name)).fetchone()
    return None if row is None or row[1] else int(row[0])


def queue_of(connection: Connection, account: int, name: str, now_ms: int, plan: Plan | None) -> int:
    """The number of the queue ``name``, which is made, one message at a time, if there is none.

    :raises Rejected: 412 when it would be one more than ``plan`` allows; without one there is no limit.
    """
    number = number_of(connection, account, name)
    return make_queue(connection, account, name, now_ms, plan) if number is None else number


def make_queue(connection: Connection, account: int, name: str, now_ms: int, plan: Plan | None) -> int:
    """Make the queue ``name``, which runs one message at a time; returns its number.

    :raises Rejected: 412 when it is one more than ``plan`` allows; nothing is written then.
    """
    (count,) = connection.execute(_COUNT, (account,)).fetchone()
    if plan is not None and plan.queues is not None and count >= plan.queues:
        raise Rejected(412, texts.quota_exceeded("maxQueues", plan.queues))
    (number,) = connection.execute(_MAKE, (account, name, now_ms, now_ms)).fetchone()
    return int(number)


def forget_if_empty(connection: Connection, queue: int) -> None:
    """Forget a queue that was deleted, once its last message is over."""
    connection.execute(_FORGET, (queue,))


def room_of(connection: Connection, queue: int) -> int:
    """How many of its messages may hold a place; 0 where it is paused."""
    parallelism, paused = connection.execute(_ROOM, (queue,)).fetchone()
    return 0 if paused else int(parallelism)


def _queue(row: Sequence[Any]) -> Queue:
    name, created_ms, updated_ms, parallelism, paused, lag = row
    return Queue(name, created_ms, updated_ms, parallelism, bool(paused), lag)
