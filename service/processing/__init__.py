"""Event processing: handlers, what they may do, and our own, which stores conversations. Yours is one setting away.

``QSOPS_HANDLER=package.module:function`` names any ``async def f(event: Event, tx: Transaction)``, or a plain ``def``
with a :class:`BlockingTransaction`. It may run more than once for one event, even at the same time; what it collects in
``tx`` is committed once.
"""

from __future__ import annotations

from service.envelope import Event
from service.errors import Permanent, RetryAfter
from service.processing.conversations import handle_incoming_messaging_event
from service.processing.handler import Handler, Runner, find
from service.processing.transaction import BlockingTransaction, Delivery, Transaction, deduplication_id

__all__ = [
    "BlockingTransaction",
    "Delivery",
    "Event",
    "Handler",
    "Permanent",
    "RetryAfter",
    "Runner",
    "Transaction",
    "deduplication_id",
    "find",
    "handle_incoming_messaging_event",
]
