"""The log: one row for each step a message takes."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.core.attempts import Attempt, Outcome, Settled
from qsops.engine.core.rows import encode_headers
from qsops.engine.core.spans import widen
from qsops.models import Message, State

__all__ = ["write_active", "write_created", "write_delivered", "write_error", "write_state"]

_STATE: Final = "insert into log (account, message, trait, time_ms, state, next_ms) values (?, ?, ?, ?, ?, ?)"
_ERROR: Final = """
    insert into log (account, message, trait, time_ms, state, next_ms, status, error, response_headers, response_body)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_LAST: Final = "select max(seq) from log"
_DELIVERED: Final = "insert into log (account, message, trait, time_ms, state, status) values (?, ?, ?, ?, ?, ?)"


def write_state(
    connection: Connection, account: int, seq: int, trait: int, state: str, now_ms: int, next_ms: int | None = None
) -> None:
    """The message entered ``state``; ``next_ms`` is when it will be tried next."""
    _append(connection, _STATE, [(account, seq, trait, now_ms, state, next_ms)], now_ms, now_ms)


def write_created(
    connection: Connection, account: int, accepted: Sequence[tuple[int, int, Message]], now_ms: int
) -> None:
    """Messages were accepted: their numbers, those of their traits, and themselves."""
    rows = [
        (account, seq, trait, now_ms, State.CREATED, at_ms if (at_ms := message.not_before_ms) > now_ms else None)
        for seq, trait, message in accepted
    ]
    _append(connection, _STATE, rows, now_ms, now_ms)


def write_active(connection: Connection, started: Sequence[Attempt], at_ms: int) -> None:
    """Attempts were started."""
    rows = [(one.account, one.seq, one.trait, at_ms, State.ACTIVE, None) for one in started]
    _append(connection, _STATE, rows, at_ms, at_ms)


def write_error(
    connection: Connection, attempt: Attempt, outcome: Outcome, now_ms: int, next_ms: int | None = None
) -> None:
    """An attempt failed, with what the destination answered."""
    told = (outcome.status or None, error_text(outcome), encode_headers(outcome.headers), outcome.body)
    row = (attempt.account, attempt.seq, attempt.trait, now_ms, State.ERROR, next_ms, *told)
    _append(connection, _ERROR, [row], now_ms, now_ms)


def write_delivered(connection: Connection, ended: Sequence[Settled]) -> None:
    """Attempts were answered with success."""
    rows = [
        (one.attempt.account, one.attempt.seq, one.attempt.trait, one.at_ms, State.DELIVERED, one.outcome.status)
        for one in ended
    ]
    times_ms = [one.at_ms for one in ended]
    _append(connection, _DELIVERED, rows, min(times_ms), max(times_ms))


def error_text(outcome: Outcome) -> str:
    """Why an attempt failed, as a person reads it in the log."""
    return outcome.error or f"the destination answered {outcome.status}"


def _append(connection: Connection, insert: str, rows: Sequence[tuple[Any, ...]], from_ms: int, to_ms: int) -> None:
    """Add lines behind all that are there, of times within ``from_ms`` and ``to_ms``."""
    if not rows:
        return
    if len(rows) == 1:
        last = connection.execute(insert, rows[0]).lastrowid
    else:
        connection.executemany(insert, rows)
        (last,) = connection.execute(_LAST).fetchone()
    assert last is not None
    widen(connection, last - len(rows) + 1, last, from_ms, to_ms)
