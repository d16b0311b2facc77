"""Settling an attempt: its log entries, the next try or the end, and the callbacks, all in one transaction."""

from __future__ import annotations

from dataclasses import replace
from sqlite3 import Connection

from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.core.dead_letters import bury
from qsops.engine.core.intake import accept
from qsops.engine.core.journal import write_delivered, write_error, write_state
from qsops.engine.core.reports import ReportIds, report_message
from qsops.engine.core.verdicts import Verdict, decide
from qsops.models import State

__all__ = ["close_canceled", "settle"]

_NOT_REPORTED = ReportIds()
_RETRY = "update progress set retried = ?, due_ms = ? where message = ?"
_FINISH = "update progress set retried = ?, due_ms = null, finished_ms = ? where message = ?"
_WAS_CANCELED = "select cancel_requested_ms is not null from progress where message = ?"


def settle(
    connection: Connection, attempt: Attempt, outcome: Outcome, now_ms: int, report_ids: ReportIds = _NOT_REPORTED
) -> None:
    """Write down what ``outcome`` means for the message, and bring its callbacks on their way."""
    attempt = _as_it_stands(connection, attempt, outcome)
    verdict = decide(attempt, outcome, now_ms)
    dlq_id = _record(connection, attempt, outcome, verdict, now_ms)
    _advance(connection, attempt, verdict, now_ms)
    _report(connection, attempt, outcome, now_ms, report_ids, dlq_id)


def close_canceled(connection: Connection, attempt: Attempt, now_ms: int) -> None:
    """A message that was taken back has fallen due: it is over."""
    write_state(connection, attempt.account, attempt.seq, State.CANCELED, now_ms)
    connection.execute(_FINISH, (attempt.retried, now_ms, attempt.seq))


def _as_it_stands(connection: Connection, attempt: Attempt, outcome: Outcome) -> Attempt:
    """A cancel that came while a failed attempt was under way prevents the next one."""
    if outcome.delivered:
        return attempt
    (canceled,) = connection.execute(_WAS_CANCELED, (attempt.seq,)).fetchone()
    return replace(attempt, canceled=bool(canceled))


def _record(connection: Connection, attempt: Attempt, outcome: Outcome, verdict: Verdict, now_ms: int) -> str | None:
    """The log entries of the outcome; returns the DLQ id of a message that has failed for good."""
    if verdict.state == State.DELIVERED:
        write_delivered(connection, attempt, outcome, now_ms)
        return None
    write_error(connection, attempt, outcome, now_ms, verdict.next_ms)
    if verdict.state == State.RETRY and attempt.canceled:
        return None  # what comes at ``next_ms`` is CANCELED
    write_state(connection, attempt.account, attempt.seq, verdict.state, now_ms, verdict.next_ms)
    return bury(connection, attempt, outcome, now_ms) if verdict.state == State.FAILED else None


def _advance(connection: Connection, attempt: Attempt, verdict: Verdict, now_ms: int) -> None:
    if verdict.next_ms is None:
        connection.execute(_FINISH, (attempt.retried + 1, now_ms, attempt.seq))
    else:
        connection.execute(_RETRY, (attempt.retried + 1, verdict.next_ms, attempt.seq))


def _report(
    connection: Connection, attempt: Attempt, outcome: Outcome, now_ms: int, ids: ReportIds, dlq_id: str | None
) -> None:
    message = attempt.message
    if message.callback and ids.callback:
        told = report_message(message.callback, attempt, outcome, message_id=ids.callback, now_ms=now_ms)
        accept(connection, attempt.account, told, now_ms)
    if message.failure_callback and ids.failure_callback and dlq_id:
        told = report_message(
            message.failure_callback, attempt, outcome, message_id=ids.failure_callback, now_ms=now_ms, dlq_id=dlq_id
        )
        accept(connection, attempt.account, told, now_ms)
