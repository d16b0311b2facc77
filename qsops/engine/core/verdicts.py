"""What the outcome of an attempt means for its message: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass

from qsops import retry
from qsops.engine.core.attempts import Attempt, Outcome
from qsops.models import State
from qsops.wire.delivery import NON_RETRYABLE_HEADER, NON_RETRYABLE_STATUS
from qsops.wire.http import header

__all__ = ["Verdict", "decide"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that follows an attempt; with RETRY, ``next_ms`` says when the next one is due."""

    state: str
    next_ms: int | None = None


def decide(attempt: Attempt, outcome: Outcome, now_ms: int) -> Verdict:
    """DELIVERED, RETRY or FAILED; for a message that was taken back CANCELED, at the time of the next attempt."""
    if outcome.delivered:
        return Verdict(State.DELIVERED)
    if attempt.retried >= attempt.message.max_retries or _is_final(outcome):
        return Verdict(State.CANCELED if attempt.canceled else State.FAILED)
    return Verdict(State.RETRY, now_ms + _delay_ms(attempt, outcome, now_ms))


def _is_final(outcome: Outcome) -> bool:
    told = header(outcome.headers, NON_RETRYABLE_HEADER)
    return outcome.status == NON_RETRYABLE_STATUS and told is not None and told.strip().lower() == "true"


def _delay_ms(attempt: Attempt, outcome: Outcome, now_ms: int) -> int:
    text = attempt.message.retry_delay
    expression = retry.compile_expression(text) if text else None
    return retry.next_delay_ms(expression, attempt.retried, outcome.headers, now_ms)
