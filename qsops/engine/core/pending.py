"""Messages that are not yet finished: read, and taken back."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.filters import Conditions, message_conditions
from qsops.engine.core.journal import write_state
from qsops.engine.core.rows import MESSAGE_COLUMNS, message_of_row
from qsops.models import CancelFilter, Message, State

__all__ = ["FIRST", "READABLE_AFTER_MS", "Place", "cancel", "read_message"]

#: A finished message stays readable this long: clients publish, and look at once (reference, section 0.13).
READABLE_AFTER_MS: Final = 60_000

#: Where a pending message stands: when it falls due, and its number among equals.
Place = tuple[int, int]
FIRST: Final = (-1, -1)

_READ = f"""
    select {MESSAGE_COLUMNS} from messages m join progress p on p.message = m.seq
    where m.id = :id and m.account = :account and p.cancel_requested_ms is null
      and (p.finished_ms is null or p.finished_ms > :readable_from)
"""
_FIND = """
    select p.due_ms, p.message from progress p join messages m on m.seq = p.message
    where p.due_ms is not null and (p.due_ms, p.message) > (:after_due_ms, :after_message)
      and p.account = :account and p.cancel_requested_ms is null and {conditions}
    order by p.due_ms, p.message limit :limit
"""
_REQUEST = "update progress set cancel_requested_ms = ? where message = ?"


def read_message(connection: Connection, account: int, message_id: str, now_ms: int) -> Message | None:
    """The message, if it is pending or has just finished; None if it is unknown, taken back, or long over."""
    known = {"id": message_id, "account": account, "readable_from": now_ms - READABLE_AFTER_MS}
    row = connection.execute(_READ, known).fetchone()
    return None if row is None else message_of_row(row)


def cancel(
    connection: Connection, account: int, wanted: CancelFilter, limit: int, now_ms: int, after: Place
) -> list[Place]:
    """Take back the next ``limit`` pending messages that match, in the order they fall due; returns their places.

    None of them is tried again. CANCELED follows when the next attempt would have been due. Until then a message keeps
    its place, so whoever goes on passes the last place as ``after``.
    """
    conditions = _conditions(wanted)
    known = {"account": account, "limit": limit, **conditions.parameters}
    known["after_due_ms"], known["after_message"] = after
    found: list[Place] = connection.execute(_FIND.format(conditions=conditions.sql), known).fetchall()
    for _, seq in found:
        connection.execute(_REQUEST, (now_ms, seq))
        write_state(connection, account, seq, State.CANCEL_REQUESTED, now_ms)
    return found


def _conditions(wanted: CancelFilter) -> Conditions:
    conditions = Conditions()
    if wanted.message_ids:  # the other filters are ignored then (reference, section 2.4)
        conditions.one_of("m.id", "ids", wanted.message_ids)
        return conditions
    message_conditions(conditions, wanted)
    conditions.between("m.created_ms", wanted.from_ms, wanted.to_ms)
    return conditions
