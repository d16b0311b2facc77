"""The way of one attempt: signed, and carried to its destination within its time."""

from __future__ import annotations

import asyncio
import logging

from qsops import signing
from qsops.engine.core.attempts import Attempt, Outcome, Settled
from qsops.engine.core.reports import report_ids
from qsops.engine.deliveries.port import Deliver, Delivery, timed_out
from qsops.engine.engine import Engine
from qsops.wire.delivery import delivery_headers

__all__ = ["Courier"]

_log = logging.getLogger(__name__)


class Courier:
    """Takes attempts out and brings outcomes home; when to do so, and to write them down, is the driver's business."""

    def __init__(self, engine: Engine, deliver: Deliver) -> None:
        self._engine = engine
        self._deliver = deliver

    async def carry(self, attempt: Attempt) -> Outcome:
        """Deliver ``attempt``; whatever becomes of it is an outcome, never an exception."""
        delivery = self._delivery(attempt)
        try:
            async with asyncio.timeout(delivery.timeout_s):
                return await self._deliver(delivery)
        except TimeoutError:
            return timed_out(delivery)
        except Exception as error:  # noqa: BLE001  # see below
            # An adapter names every fault of a destination itself; what arrives here is a fault of ours, and must
            # not leave the message in flight for ever.
            _log.exception("delivery of %s failed", attempt.message.message_id)
            return Outcome(error=f"delivery failed: {type(error).__name__}: {error}")

    def settled(self, attempt: Attempt, outcome: Outcome) -> Settled:
        """``outcome`` as of now, with the ids of the messages that it may cause."""
        engine = self._engine
        return Settled(attempt, outcome, engine.clock.now_ms(), report_ids(attempt.message, engine.ids))

    def _delivery(self, attempt: Attempt) -> Delivery:
        engine, message = self._engine, attempt.message
        signature = signing.sign(
            attempt.key,
            url=message.url,
            body=message.body,
            now_s=engine.clock.now_ms() // 1000,
            jti=engine.ids.make("jwt_"),
        )
        headers = delivery_headers(message, retried=attempt.retried, signature=signature, region=engine.region)
        timeout_s = min(message.timeout_s or engine.plan.response_s, engine.plan.response_s)
        return Delivery(message.method, message.url, headers, message.body, timeout_s)
