"""Accepting messages: each once, with its first line in the log, and before its gates if it has any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from sqlite3 import Connection
from typing import Final

from qsops.engine.core.deduplication import first_message, remember
from qsops.engine.core.gates import enrol
from qsops.engine.core.journal import write_created
from qsops.engine.core.queues import queue_of
from qsops.engine.core.rows import insert_messages
from qsops.engine.plans import Plan
from qsops.errors import Rejected
from qsops.models import Message, Receipt

__all__ = ["Admitted", "accept", "accept_each"]

_PENDING: Final = "insert into progress (message, account, due_ms) values (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A message that may be accepted, and the deduplication key under which it counts as one with others."""

    message: Message
    key: str | None = None


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
    (seq,) = _take_in(connection, account, [message], now_ms)
    if message.queue is not None or message.flow_control is not None or place is not None:
        enrol(connection, account, seq, message, now_ms, queue=queue, place=place)
    return Receipt(message.message_id)


def accept_each(
    connection: Connection, account: int, wanted: Sequence[Admitted], now_ms: int, plan: Plan
) -> list[Receipt | Rejected]:
    """What :func:`accept` makes of each of ``wanted``, or why it was refused; those that ask for nothing at once."""
    results: list[Receipt | Rejected] = []
    for is_plain, run in groupby(wanted, key=_is_plain):
        if is_plain:
            messages = [one.message for one in run]
            _take_in(connection, account, messages, now_ms)
            results += [Receipt(message.message_id) for message in messages]
        else:
            results += [_accept_or_refuse(connection, account, one, now_ms, plan) for one in run]
    return results


def _is_plain(one: Admitted) -> bool:
    return one.key is None and one.message.queue is None and one.message.flow_control is None


def _accept_or_refuse(
    connection: Connection, account: int, one: Admitted, now_ms: int, plan: Plan
) -> Receipt | Rejected:
    try:
        return accept(connection, account, one.message, now_ms, one.key, plan=plan)
    except Rejected as rejection:
        return rejection


def _take_in(connection: Connection, account: int, messages: Sequence[Message], now_ms: int) -> list[int]:
    """Keep ``messages``, pending; their numbers."""
    accepted = insert_messages(connection, account, messages)
    connection.executemany(_PENDING, [(seq, account, message.not_before_ms) for seq, _, message in accepted])
    write_created(connection, account, accepted, now_ms)
    return [seq for seq, _, _ in accepted]
