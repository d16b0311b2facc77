"""The log: one row for each step a message takes."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Final

from qsops.engine.core.attempts import Attempt, Outcome, Settled
from qsops.engine.core.rows import encode_headers
from qsops.models import Message, State

__all__ = ["write_active", "write_created", "write_delivered", "write_error", "write_state"]

_STATE: Final = "insert into log (account, message, trait, time_ms, state, next_ms) values (?, ?, ?, ?, ?, ?)"
_ERROR: Final = """
    insert into log (account, message, trait, time_ms, state, next_ms, status, error, response_headers, response_body)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_DELIVERED: Final = "insert into log (account, message, trait, time_ms, state, status) values (?, ?, ?, ?, ?, ?)"


def write_state(
    connection: Connection, account: int, seq: int, trait: int, state: str, now_ms: int, next_ms: int | None = None
) -> None:
    """The message entered ``state``; ``next_ms`` is when it will be tried next."""
    connection.execute(_STATE, (account, seq, trait, now_ms, state, next_ms))


def write_created(
    connection: Connection, account: int, accepted: Sequence[tuple[int, int, Message]], now_ms: int
) -> None:
    """Messages were accepted: their numbers, those of their traits, and themselves."""
    rows = [
        (account, seq, trait, now_ms, State.CREATED, at_ms if (at_ms := message.not_before_ms) > now_ms else None)
        for seq, trait, message in accepted
    ]
    connection.executemany(_STATE, rows)


def write_active(connection: Connection, started: Sequence[Attempt], at_ms: int) -> None:
    """Attempts were started."""
    connection.executemany(_STATE, [(a.account, a.seq, a.trait, at_ms, State.ACTIVE, None) for a in started])


def write_error(
    connection: Connection, attempt: Attempt, outcome: Outcome, now_ms: int, next_ms: int | None = None
) -> None:
    """An attempt failed, with what the destination answered."""
    told = (outcome.status or None, error_text(outcome), encode_headers(outcome.headers), outcome.body)
    row = (attempt.account, attempt.seq, attempt.trait, now_ms, State.ERROR, next_ms, *told)
    connection.execute(_ERROR, row)


def write_delivered(connection: Connection, ended: Sequence[Settled]) -> None:
    """Attempts were answered with success."""
    rows = [
        (one.attempt.account, one.attempt.seq, one.attempt.trait, one.at_ms, State.DELIVERED, one.outcome.status)
        for one in ended
    ]
    connection.executemany(_DELIVERED, rows)


def error_text(outcome: Outcome) -> str:
    """Why an attempt failed, as a person reads it in the log."""
    return outcome.error or f"the destination answered {outcome.status}"
