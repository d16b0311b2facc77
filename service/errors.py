"""What event processing may say of an event, and what the service's rooms say to each other.

::

    QsopsError
    ├── Permanent            no retry will mend this event: 489, straight to the dead letters
    ├── RetryAfter           not now: 503 or 429, with the wait
    ├── HandlerTimeout       cut off before QStash's own patience ends: 503
    │   └── HandlerStuck     and it goes on all the same
    ├── HandlerCancelled     cancelled by something of its own: 500
    ├── NoThread             all threads are held by handlers that do not return: 503
    ├── StoreUnavailable     the database is away: 503, and QStash or Meta comes again
    └── NewerEnvelope        written by a newer build than this: 503 until that one is back
"""

from __future__ import annotations

import math
from typing import Literal

from qsops.errors import QsopsError

__all__ = [
    "HandlerCancelled",
    "HandlerStuck",
    "HandlerTimeout",
    "NewerEnvelope",
    "NoThread",
    "Permanent",
    "RetryAfter",
    "StoreUnavailable",
]


class Permanent(QsopsError):
    """Raised by a handler: this event can never be processed. ``reason`` goes into answer and dead letter.

    The reason travels: name ids and causes in it, never what a person wrote.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RetryAfter(QsopsError):
    """Raised by a handler: try again in ``seconds``, or later if the message's retry curve says so."""

    def __init__(self, seconds: float, status: Literal[429, 503] = 503) -> None:
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds {seconds} is no wait: a retry lies in the future, at a time that comes")
        super().__init__(f"asked to be tried again in {seconds:g} s")
        self.seconds = seconds
        self.status: Literal[429, 503] = status


class HandlerTimeout(QsopsError):
    """A handler did not return in time, and was cut off after ``seconds``; nothing of it takes effect."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the handler was cut off after {seconds:g} s")
        self.seconds = seconds


class HandlerStuck(HandlerTimeout):
    """A handler that waits was cut off, and goes on: it swallows ``asyncio.CancelledError``, or blocks the loop."""


class HandlerCancelled(QsopsError):
    """A handler ended by a cancellation that was not ours, as of a task that it waited for."""

    def __init__(self) -> None:
        super().__init__("the handler was cancelled by something of its own")


class NoThread(QsopsError):
    """A handler found no room in time: others, which block or were cut off and go on, hold all of it."""

    def __init__(self) -> None:
        super().__init__("no room is free for the handler: others do not return")


class StoreUnavailable(QsopsError):
    """The database cannot be reached, is locked, full, or cannot be written. Nothing has taken effect."""


class NewerEnvelope(QsopsError):
    """An envelope of a higher version than this build reads: a newer build published it."""

    def __init__(self, version: int) -> None:
        super().__init__(f"envelope version {version} is newer than this build reads: deploy the newer build again")
        self.version = version
