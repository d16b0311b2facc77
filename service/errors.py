"""What event processing may say of an event, and what the service's rooms say to each other.

::

    QsopsError
    ├── Permanent            no retry will mend this event: 489, straight to the dead letters
    ├── RetryAfter           not now: 503 or 429, with the wait
    ├── StoreUnavailable     the database is away: 503, and QStash or Meta comes again
    └── NewerEnvelope        written by a newer build than this: 503 until that one is back
"""

from __future__ import annotations

import math
from typing import Literal

from qsops.errors import QsopsError

__all__ = ["NewerEnvelope", "Permanent", "RetryAfter", "StoreUnavailable"]


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


class StoreUnavailable(QsopsError):
    """The database cannot be reached, is locked, full, or cannot be written. Nothing has taken effect."""


class NewerEnvelope(QsopsError):
    """An envelope of a higher version than this build reads: a newer build published it."""

    def __init__(self, version: int) -> None:
        super().__init__(f"envelope version {version} is newer than this build reads: deploy the newer build again")
        self.version = version
