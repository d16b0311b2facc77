"""What QStash reported of messages: a row for each attempt that it tells of."""

from __future__ import annotations

from typing import Final

from qsops.models import CallbackReport
from service.store import failures, ledger
from service.store.steps import Steps
from service.store.values import Cause, Statement

__all__ = ["report"]

_INSERT: Final = """
insert into callbacks (message_id, retried, outcome, event_id, status, dlq_id, reported_at_ms)
values (:message_id, :retried, :outcome, :event_id, :status, :dlq_id, :now_ms)
on conflict do nothing
returning 1
"""


def report(told: CallbackReport, outcome: str, event_id: str | None, now_ms: int, cause: Cause | None) -> Steps[bool]:
    """Record a report, and count its ``cause``; False if the same one was recorded before."""
    inserted = yield Statement(
        _INSERT,
        {
            "message_id": told.source_message_id,
            "retried": told.retried,
            "outcome": outcome,
            "event_id": event_id,
            "status": told.status,
            "dlq_id": told.dlq_id,
            "now_ms": now_ms,
        },
    )
    if inserted and outcome == "failure":
        yield ledger.mark_dead(told, event_id)
    if inserted and cause is not None:
        yield failures.add(cause, now_ms)
    return bool(inserted)
