"""The port through which an attempt leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from qsops.engine.core.attempts import Outcome
from qsops.models import Headers

__all__ = ["CONNECT_TIMEOUT_S", "KEEP_ALIVE_S", "RESPONSE_LIMIT", "Deliver", "Delivery", "timed_out"]

#: Of an answer's body this much is kept, for the log, the callbacks and the DLQ.
RESPONSE_LIMIT: Final = 1024 * 1024
CONNECT_TIMEOUT_S: Final = 10.0
#: A connection that lay unused this long is not used again: common servers hang up after two to five seconds, and what
#: is sent into a closing connection has to be sent anew. It may lie twice as long before it is closed.
KEEP_ALIVE_S: Final = 1.5


@dataclass(frozen=True, slots=True)
class Delivery:
    """One signed request, ready to leave. ``url`` stays as its publisher gave it: it is what was signed.

    ``timeout_s`` is kept by the caller; an adapter only has to give way when it is cancelled.
    """

    method: str
    url: str
    headers: Headers
    body: bytes
    timeout_s: float


def timed_out(delivery: Delivery) -> Outcome:
    """What comes of a delivery that took longer than it may."""
    return Outcome(error=f"timeout: no answer within {delivery.timeout_s:g} s")


#: Carries one delivery out. A destination's faults come back as an outcome without a status, never as an exception.
Deliver = Callable[[Delivery], Awaitable[Outcome]]
