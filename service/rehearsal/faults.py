"""A handler that fails in four ways for a while, then works. Which way, and how long, is a function of the event's id.

So a run repeats itself exactly, whatever order deliveries come in, and whoever is killed and started again meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
from enum import StrEnum
from typing import Final

from service.instagram import Kind
from service.instagram.identity import identity
from service.processing import Event, Permanent, RetryAfter, Transaction, handle_incoming_messaging_event
from service.samples import ACCOUNT

__all__ = ["POISON_ID", "POISON_MID", "Fault", "Flaky", "fault_of", "flaky_handler"]

POISON_MID: Final = "mid-poison"
#: The one event that no retry will mend.
POISON_ID: Final = identity(ACCOUNT, Kind.MESSAGE, {"message": {"mid": POISON_MID}})
POISON_REASON: Final = "the rehearsal's poison event"

_WAIT_S: Final = 1.0
_MOST_ATTEMPTS: Final = 3


class Fault(StrEnum):
    """How an attempt fails."""

    ERROR = "error"
    TIMEOUT = "timeout"
    RETRY_AFTER = "retry_after"
    POISON = "poison"


# Of 100 events: 14 meet errors, 6 a timeout, 10 are asked to wait.
_SHARES: Final = ((14, Fault.ERROR), (20, Fault.TIMEOUT), (30, Fault.RETRY_AFTER))


class Flaky(Exception):
    """The fault that is rehearsed: what a handler of anyone's may raise."""


def fault_of(event_id: str, retried: int) -> Fault | None:
    """How attempt ``retried`` (0 is the first) at an event fails; None: it works, as any does from the fourth."""
    if event_id == POISON_ID:
        return Fault.POISON
    draw = int.from_bytes(hashlib.sha256(event_id.encode()).digest()[:4], "big")
    fault = next((fault for below, fault in _SHARES if draw % 100 < below), None)
    # A timeout costs its caller the most, so it happens once.
    failing = 1 if fault is Fault.TIMEOUT else 1 + draw // 100 % _MOST_ATTEMPTS
    return fault if retried < failing else None


async def flaky_handler(event: Event, tx: Transaction) -> None:
    """The normal handler behind :func:`fault_of`. After a timeout it goes on: its answer is lost, its work is not."""
    match fault_of(event.id, tx.delivery.retried):
        case Fault.POISON:
            raise Permanent(POISON_REASON)
        case Fault.ERROR:
            raise Flaky("this fault passes")
        case Fault.RETRY_AFTER:
            raise RetryAfter(_WAIT_S, status=429)
        case Fault.TIMEOUT:
            await asyncio.sleep(1.5 * tx.delivery.timeout_s)
    await handle_incoming_messaging_event(event, tx)
