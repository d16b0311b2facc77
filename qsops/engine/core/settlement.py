"""Attempts as they begin and end: their log entries, the next try or the end, and the callbacks, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from sqlite3 import Connection
from typing import Final

from qsops.engine.core.attempts import Attempt, Settled
from qsops.engine.core.dead_letters import bury
from qsops.engine.core.gates import begin, leave, place_of, step_back
from qsops.engine.core.intake import accept
from qsops.engine.core.journal import write_active, write_delivered, write_error, write_state
from qsops.engine.core.reports import report_message
from qsops.engine.core.retention import prune, prune_at_ms
from qsops.engine.core.verdicts import Verdict, decide
from qsops.engine.plans import Plan
from qsops.models import State

__all__ = ["close_canceled", "concludes", "settle", "start"]

_RETRY: Final = "update progress set retried = ?, due_ms = ?, stage = ? where message = ?"
_FINISH: Final = "update progress set retried = ?, due_ms = null, finished_ms = ?, prune_ms = ? where message = ?"
_WAS_CANCELED: Final = "select cancel_requested_ms is not null from progress where message = ?"
#: A message with gates passes them before each attempt.
_KNOCKS: Final = 1


def start(connection: Connection, started: Sequence[Attempt], at_ms: int) -> bool:
    """Write down that attempts were started; whether anything else may fall due through that."""
    write_active(connection, started, at_ms)
    return begin(connection, [attempt.seq for attempt in started if attempt.gated], at_ms)


def settle(connection: Connection, ended: Iterable[Settled], plan: Plan) -> None:
    """Write down what each outcome means for its message, and bring its callbacks on their way."""
    ended = [*ended]
    for plain, run in groupby(ended, key=concludes):
        if plain:
            _finish_delivered(connection, [*run], plan)
        else:
            for one in run:
                _settle(connection, one, plan)
    if ended:
        prune(connection, ended[-1].at_ms, len(ended), plan)


def close_canceled(connection: Connection, attempt: Attempt, now_ms: int, plan: Plan) -> None:
    """A message that was taken back has fallen due: it is over."""
    write_state(connection, attempt.account, attempt.seq, attempt.trait, State.CANCELED, now_ms)
    connection.execute(_FINISH, (attempt.retried, now_ms, prune_at_ms(plan, now_ms), attempt.seq))
    if attempt.gated:
        leave(connection, attempt.seq, now_ms)


def concludes(one: Settled) -> bool:
    """Whether its message was delivered and nothing follows from that, but that it be written down; most are so."""
    return one.outcome.delivered and not one.attempt.gated and one.attempt.message.callback is None


def _finish_delivered(connection: Connection, ended: Sequence[Settled], plan: Plan) -> None:
    write_delivered(connection, ended)
    rows = [(one.attempt.retried + 1, one.at_ms, prune_at_ms(plan, one.at_ms), one.attempt.seq) for one in ended]
    connection.executemany(_FINISH, rows)


def _settle(connection: Connection, one: Settled, plan: Plan) -> None:
    one = _as_it_stands(connection, one)
    verdict = decide(one.attempt, one.outcome, one.at_ms)
    dlq_id = _record(connection, one, verdict)
    _advance(connection, one, verdict, plan, buried=dlq_id is not None)
    if one.attempt.message.callback or one.attempt.message.failure_callback:
        _report(connection, one, dlq_id)
    if one.attempt.gated:
        # After the callbacks, which keep the message's place in its queue.
        ends = verdict.next_ms is None or one.attempt.canceled
        (leave if ends else step_back)(connection, one.attempt.seq, one.at_ms)


def _as_it_stands(connection: Connection, one: Settled) -> Settled:
    """A cancel that came while a failed attempt was under way prevents the next one."""
    if one.outcome.delivered:
        return one
    (canceled,) = connection.execute(_WAS_CANCELED, (one.attempt.seq,)).fetchone()
    return replace(one, attempt=replace(one.attempt, canceled=bool(canceled))) if canceled else one


def _record(connection: Connection, one: Settled, verdict: Verdict) -> str | None:
    """The log entries of the outcome; returns the DLQ id of a message that has failed for good."""
    attempt, outcome, now_ms = one.attempt, one.outcome, one.at_ms
    if verdict.state == State.DELIVERED:
        write_delivered(connection, [one])
        return None
    write_error(connection, attempt, outcome, now_ms, verdict.next_ms)
    if verdict.state == State.RETRY and attempt.canceled:
        return None  # what comes at ``next_ms`` is CANCELED
    write_state(connection, attempt.account, attempt.seq, attempt.trait, verdict.state, now_ms, verdict.next_ms)
    return bury(connection, attempt, outcome, now_ms) if verdict.state == State.FAILED else None


def _advance(connection: Connection, one: Settled, verdict: Verdict, plan: Plan, *, buried: bool) -> None:
    attempt, retried = one.attempt, one.attempt.retried + 1
    if verdict.next_ms is None:
        prune_ms = prune_at_ms(plan, one.at_ms, buried=buried)
        connection.execute(_FINISH, (retried, one.at_ms, prune_ms, attempt.seq))
    else:
        # One that was taken back passes no gate any more: when it is due, it is closed.
        stage = _KNOCKS if attempt.gated and not attempt.canceled else 0
        connection.execute(_RETRY, (retried, verdict.next_ms, stage, attempt.seq))


def _report(connection: Connection, one: Settled, dlq_id: str | None) -> None:
    attempt, ids = one.attempt, one.report_ids
    message, place = attempt.message, place_of(connection, attempt.seq) if attempt.gated else None
    if message.callback and ids.callback:
        told = report_message(message.callback, attempt, one.outcome, message_id=ids.callback, now_ms=one.at_ms)
        accept(connection, attempt.account, told, one.at_ms, place=place)
    if message.failure_callback and ids.failure_callback and dlq_id:
        told = report_message(
            *(message.failure_callback, attempt, one.outcome),
            message_id=ids.failure_callback,
            now_ms=one.at_ms,
            dlq_id=dlq_id,
        )
        accept(connection, attempt.account, told, one.at_ms, place=place)
