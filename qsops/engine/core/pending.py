"""Messages that are not yet finished: read, and taken back."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.filters import Conditions, trait_conditions
from qsops.engine.core.gates import withdraw
from qsops.engine.core.journal import write_state
from qsops.engine.core.rows import MESSAGE_COLUMNS, MESSAGE_TABLES, message_of_row
from qsops.models import CancelFilter, Message, State

__all__ = ["FIRST", "READABLE_AFTER_MS", "Place", "cancel", "read_message"]

#: A finished message stays readable this long: clients publish, and look at once (reference, section 0.13).
READABLE_AFTER_MS: Final = 60_000

#: Where a pending message stands: whether it goes when it is due, when that is, and its number among equals.
Place = tuple[int, int, int]
FIRST: Final = (-1, -1, -1)

_READ = f"""
    select {MESSAGE_COLUMNS} from {MESSAGE_TABLES} join progress p on p.message = m.seq
    where m.id = :id and m.account = :account and p.cancel_requested_ms is null
      and (p.finished_ms is null or p.finished_ms > :readable_from)
"""
_FIND = """
    select p.stage, p.due_ms, p.message, m.trait
    from progress p join messages m on m.seq = p.message join traits t on t.trait = m.trait
    where p.due_ms is not null and (p.stage, p.due_ms, p.message) > (:stage, :due_ms, :message)
      and p.account = :account and p.cancel_requested_ms is null and {conditions}
    order by p.stage, p.due_ms, p.message limit :limit
"""
#: The messages of some traits, by the lines that they have in the log, and whether these are few.
_OF_TRAITS = "p.message in (select l.message from log l where l.trait in (select t.trait from traits t where {}))"
_COUNT = """
    select count(*) from (
        select 1 from log l where l.trait in (select t.trait from traits t where {}) limit :few
    )
"""
#: So many lines are rather collected than all pending messages searched for those that match.
_FEW: Final = 20_000
_REQUEST = "update progress set cancel_requested_ms = ? where message = ?"


def read_message(connection: Connection, account: int, message_id: str, now_ms: int) -> Message | None:
    """The message, if it is pending or has just finished; None if it is unknown, taken back, or long over."""
    known = {"id": message_id, "account": account, "readable_from": now_ms - READABLE_AFTER_MS}
    row = connection.execute(_READ, known).fetchone()
    return None if row is None else message_of_row(row)


def cancel(
    connection: Connection, account: int, wanted: CancelFilter, limit: int, now_ms: int, after: Place
) -> list[Place]:
    """Take back the next ``limit`` pending messages that match; returns their places.

    They are taken in the order they fall due, and those last that wait at a gate. None of them is tried again. CANCELED
    follows when the next attempt would have been due. Until then a message keeps its place, so whoever goes on passes
    the last place as ``after``.
    """
    conditions = _conditions(connection, account, wanted)
    known = {"account": account, "limit": limit, **conditions.parameters}
    known["stage"], known["due_ms"], known["message"] = after
    found = connection.execute(_FIND.format(conditions=conditions.sql), known).fetchall()
    for *_, seq, trait in found:
        connection.execute(_REQUEST, (now_ms, seq))
        write_state(connection, account, seq, trait, State.CANCEL_REQUESTED, now_ms)
    for *_, seq, _ in sorted(found, key=lambda row: row[2], reverse=True):
        # The latest first: of those who wait in one queue none goes on as the one before it leaves.
        withdraw(connection, seq, now_ms)
    return [(stage, due_ms, seq) for stage, due_ms, seq, _ in found]


def _conditions(connection: Connection, account: int, wanted: CancelFilter) -> Conditions:
    conditions = Conditions()
    if wanted.message_ids:  # the other filters are ignored then (reference, section 2.4)
        conditions.one_of("m.id", "ids", wanted.message_ids)
        return conditions
    trait_conditions(conditions, wanted)
    if conditions.clauses:
        traits = f"t.account = :account and {conditions.sql}"
        known = {"account": account, "few": _FEW, **conditions.parameters}
        (count,) = connection.execute(_COUNT.format(traits), known).fetchone()
        if count < _FEW:
            conditions.where(_OF_TRAITS.format(traits))
    conditions.between("m.created_ms", wanted.from_ms, wanted.to_ms)
    return conditions
