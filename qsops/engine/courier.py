"""The way of one attempt: signed, carried to its destination within its time, settled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from qsops import signing
from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.core.journal import write_active
from qsops.engine.core.reports import report_ids
from qsops.engine.core.settlement import close_canceled, settle
from qsops.engine.deliveries.port import Deliver, Delivery, timed_out, without_framing
from qsops.engine.engine import Engine
from qsops.wire.delivery import delivery_headers

__all__ = ["Courier"]

_log = logging.getLogger(__name__)


class Courier:
    """Takes attempts out and brings outcomes home; when to do so is the driver's business."""

    def __init__(self, engine: Engine, deliver: Deliver) -> None:
        self._engine = engine
        self._deliver = deliver

    async def announce(self, attempts: Sequence[Attempt]) -> None:
        """Write down that ``attempts`` start now; nobody needs to wait for it."""
        now_ms = self._engine.clock.now_ms()
        started = [(attempt, now_ms) for attempt in attempts if not attempt.canceled]
        if started:
            await self._engine.database.submit(lambda connection: write_active(connection, started))

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

    async def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Commit what ``outcome`` means."""
        engine, now_ms = self._engine, self._engine.clock.now_ms()
        ids = report_ids(attempt.message, engine.ids)
        await engine.database.submit(lambda connection: settle(connection, attempt, outcome, now_ms, ids))

    async def close(self, attempt: Attempt) -> None:
        """Commit the end of a message that was taken back."""
        now_ms = self._engine.clock.now_ms()
        await self._engine.database.submit(lambda connection: close_canceled(connection, attempt, now_ms))

    def _delivery(self, attempt: Attempt) -> Delivery:
        engine, message = self._engine, attempt.message
        signature = signing.sign(
            attempt.key,
            url=message.url,
            body=message.body,
            now_s=engine.clock.now_ms() // 1000,
            jti=engine.ids.make("jwt_"),
        )
        headers = delivery_headers(message, retried=attempt.retried, signature=signature)
        timeout_s = min(message.timeout_s or engine.plan.response_s, engine.plan.response_s)
        return Delivery(message.method, message.url, without_framing(headers), message.body, timeout_s)
