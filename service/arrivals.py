"""An event on its way in: the message that it becomes, and the rows that it leaves."""

from __future__ import annotations

from typing import Literal

import msgspec

from qsops.models import LedgerEntry, Publish, Receipt
from service.envelope import Event
from service.failures import Failure, Result
from service.instagram import mid_of
from service.store import Outgoing

__all__ = ["Arrival"]


class Arrival(msgspec.Struct):
    """``conversation`` is what it is one in a row of; ``result`` what QStash made of it, None if it was not asked."""

    event: Event
    message: Publish
    conversation: str | None
    result: Result | None = None

    @property
    def receipt(self) -> Receipt | None:
        return self.result if isinstance(self.result, Receipt) else None

    @property
    def failure(self) -> Failure | None:
        return self.result if isinstance(self.result, Failure) else None

    @property
    def state(self) -> Literal["published", "parked", "queued"]:
        if self.result is None:
            return "queued"
        return "published" if isinstance(self.result, Receipt) else "parked" if self.result.parked else "queued"

    def entry(self, now_ms: int) -> LedgerEntry:
        """As the ledger has it."""
        event, receipt, failure = self.event, self.receipt, self.failure
        return LedgerEntry(
            event_id=event.id,
            kind=event.kind,
            account=event.account,
            state=self.state,
            received_at_ms=round(event.received_at.timestamp() * 1000),
            mid=mid_of(event.kind, event.payload),
            message_id=receipt.message_id if receipt else None,
            published_at_ms=now_ms if receipt else None,
            reason=failure.reason if failure else None,
        )

    def outgoing(self, wait_ms: int) -> Outgoing:
        """As the outbox has it; what has just failed waits for ``wait_ms``."""
        failure = self.failure
        parked = failure is not None and failure.parked
        return Outgoing(
            self.message,
            self.event.id,
            failure.reason if failure else None,
            parked,
            wait_ms=0 if parked or failure is None else wait_ms,
            conversation=self.conversation,
        )
