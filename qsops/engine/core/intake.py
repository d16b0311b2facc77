"""Accepting a message: once, with its first line in the log, and before its gates if it has any."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.deduplication import first_message, remember
from qsops.engine.core.gates import enrol
from qsops.engine.core.journal import write_state
from qsops.engine.core.queues import queue_of
from qsops.engine.core.rows import insert_message
from qsops.engine.plans import Plan
from qsops.models import Message, Receipt, State

__all__ = ["accept"]

_PENDING: Final = "insert into progress (message, account, due_ms) values (?, ?, ?)"


def accept(
    connection: Connection,
    account: int,
    message: Message,
    now_ms: int,
    key: str | None = None,
    place: int | None = None,
    plan: Plan | None = None,
) -> Receipt:
    """Take ``message`` in, unless one was accepted under the same deduplication ``key`` within the window.

    ``place``: it is a callback, and until it has ended the message of that number keeps its place in its queue.

    :raises Rejected: 412 when it asks for one queue more than ``plan`` allows; nothing is written then.
    """
    if key is not None:
        first = first_message(connection, account, key, now_ms)
        if first is not None:
            return Receipt(first, deduplicated=True)
    queue = queue_of(connection, account, message.queue, now_ms, plan) if message.queue is not None else None
    if key is not None:
        remember(connection, account, key, message.message_id, now_ms)
    seq, trait = insert_message(connection, account, message)
    connection.execute(_PENDING, (seq, account, message.not_before_ms))
    delayed = message.not_before_ms > now_ms
    write_state(connection, account, seq, trait, State.CREATED, now_ms, message.not_before_ms if delayed else None)
    if message.queue is not None or message.flow_control is not None or place is not None:
        enrol(connection, account, seq, message, now_ms, queue=queue, place=place)
    return Receipt(message.message_id)
