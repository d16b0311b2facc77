"""An errand: all that it takes to make one attempt, wherever it is made."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from qsops import signing
from qsops.clock import Clock, Ids
from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.port import Deliver, Delivery, timed_out
from qsops.models import Headers
from qsops.wire.delivery import SIGNATURE_HEADER

__all__ = ["Errand", "Runner"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Errand:
    """A request that is to be signed with ``key`` as it leaves, and may take ``timeout_s``."""

    key: str = field(repr=False)
    method: str
    url: str
    headers: Headers
    body: bytes
    timeout_s: float


class Runner:
    """Makes attempts: signs as of now, delivers, and gives up in time."""

    def __init__(self, deliver: Deliver, clock: Clock, ids: Ids) -> None:
        self._deliver = deliver
        self._clock = clock
        self._ids = ids

    async def run(self, errand: Errand) -> Outcome:
        """Deliver; whatever becomes of it is an outcome, never an exception."""
        delivery = self._signed(errand)
        try:
            async with asyncio.timeout(delivery.timeout_s):
                return await self._deliver(delivery)
        except TimeoutError:
            return timed_out(delivery)
        except Exception as error:  # noqa: BLE001  # see below
            # An adapter names every fault of a destination itself; what arrives here is a fault of ours, and must
            # not leave the message in flight for ever.
            _log.exception("delivery to %s failed", errand.url)
            return Outcome(error=f"delivery failed: {type(error).__name__}: {error}")

    def _signed(self, errand: Errand) -> Delivery:
        signature = signing.sign(
            errand.key,
            url=errand.url,
            body=errand.body,
            now_s=self._clock.now_ms() // 1000,
            jti=self._ids.make("jwt_"),
        )
        headers = ((SIGNATURE_HEADER, signature), *errand.headers)
        return Delivery(errand.method, errand.url, headers, errand.body, errand.timeout_s)
