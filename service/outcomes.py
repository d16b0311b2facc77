"""What became of a delivery: the answer to it, the line that is logged, and what its span says."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import Response

from qsops.receive import Delivery
from service import log
from service.answers import Answer
from service.envelope import Event
from service.tracing import Span

__all__ = ["DUPLICATE", "PROCESSED", "Outcome", "tell", "write"]


class Outcome(msgspec.Struct, frozen=True):
    """A word for the log, the answer, and the name of the error behind it."""

    word: str
    answer: Response
    error: str | None = None


PROCESSED: Final = Outcome("processed", Answer({"status": "processed"}))
DUPLICATE: Final = Outcome("duplicate", Answer({"status": "duplicate"}))


class _Line(log.Line, tag="delivery", kw_only=True):
    message_id: str | None = None
    event_id: str | None = None
    kind: str | None = None
    retried: int
    outcome: str
    status: int
    error: str | None = None
    ms: float


def write(delivery: Delivery, event: Event | None, outcome: Outcome, took_s: float) -> None:
    """Log ``delivery``, whose ``event`` is None where its body was none."""
    log.record(
        _Line(
            message_id=delivery.message_id,
            event_id=event.id if event else None,
            kind=event.kind if event else None,
            retried=delivery.retried,
            outcome=outcome.word,
            status=outcome.answer.status_code,
            error=outcome.error,
            ms=round(took_s * 1000, 3),
        )
    )


def tell(span: Span, delivery: Delivery, event: Event | None, outcome: Outcome) -> None:
    """The same for a trace."""
    span.set_attribute("qsops.message_id", delivery.message_id or "")
    span.set_attribute("qsops.event_id", event.id if event else "")
    span.set_attribute("qsops.retried", delivery.retried)
    span.set_attribute("qsops.outcome", outcome.word)
