"""The log: one row for each step a message takes."""

from __future__ import annotations

from sqlite3 import Connection

from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.core.rows import encode_headers
from qsops.models import State

__all__ = ["write_active", "write_error", "write_state"]

_STATE = "insert into log (account, message, time_ms, state, next_ms) values (?, ?, ?, ?, ?)"
_ERROR = """
    insert into log (account, message, time_ms, state, next_ms, status, error, response_headers, response_body)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_DELIVERED = "insert into log (account, message, time_ms, state, status) values (?, ?, ?, ?, ?)"


def write_state(
    connection: Connection, account: int, seq: int, state: str, now_ms: int, next_ms: int | None = None
) -> None:
    """The message entered ``state``; ``next_ms`` is when it will be tried next."""
    connection.execute(_STATE, (account, seq, now_ms, state, next_ms))


def write_active(connection: Connection, started: list[tuple[Attempt, int]]) -> None:
    """Attempts were started, each at its time."""
    connection.executemany(_STATE, [(a.account, a.seq, at_ms, State.ACTIVE, None) for a, at_ms in started])


def write_error(
    connection: Connection, attempt: Attempt, outcome: Outcome, now_ms: int, next_ms: int | None = None
) -> None:
    """An attempt failed, with what the destination answered."""
    row = (attempt.account, attempt.seq, now_ms, State.ERROR, next_ms, outcome.status or None, error_text(outcome))
    connection.execute(_ERROR, (*row, encode_headers(outcome.headers), outcome.body))


def write_delivered(connection: Connection, attempt: Attempt, outcome: Outcome, now_ms: int) -> None:
    """An attempt was answered with success."""
    connection.execute(_DELIVERED, (attempt.account, attempt.seq, now_ms, State.DELIVERED, outcome.status))


def error_text(outcome: Outcome) -> str:
    """Why an attempt failed, as a person reads it in the log."""
    return outcome.error or f"the destination answered {outcome.status}"
