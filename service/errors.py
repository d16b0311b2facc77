"""What event processing may say of an event, and what the service's rooms say to each other.

::

    QsopsError
    ├── Permanent            no retry will mend this event: 489, straight to the dead letters
    ├── RetryAfter           not now: 503 or 429, with the wait
    ├── HandlerTimeout       cut off before QStash's own patience ends: 503
    ├── NoThread             all threads are held by handlers that block: 503
    ├── StoreUnavailable     the database is away: 503, and QStash or Meta comes again
    └── NewerEnvelope        written by a newer build than this: 503 until that one is back
"""

from __future__ import annotations

import math
from typing import Literal

from qsops.errors import QsopsError

__all__ = ["HandlerTimeout", "NewerEnvelope", "NoThread", "Permanent", "RetryAfter", "StoreUnavailable"]


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


class NoThread(QsopsError):
    """A blocking handler found no thread in time: other deliveries hold them all."""

    def __init__(self) -> None:
        super().__init__("no thread is free for the handler")


class StoreUnavailable(QsopsError):
    """The database cannot be reached, is locked, full, or cannot be written. Nothing has taken effect."""


class NewerEnvelope(QsopsError):
    """An envelope of a higher version than this build reads: a newer build published it."""

    def __init__(self, version: int) -> None:
        super().__init__(f"envelope version {version} is newer than this build reads: deploy the newer build again")
        self.version = version
