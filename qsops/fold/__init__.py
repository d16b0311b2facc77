"""Log rows folded to attempts and messages: pure, and the same whatever order, doubles or delay the rows came with.

The log says ACTIVE when an attempt starts, and ERROR or DELIVERED when it has ended; FAILED, CANCEL_REQUESTED and
CANCELED end the message. A message whose CREATED is not among the rows began before them: what that hides (the number
of an attempt, how many there were) is null, never guessed. A callback is a message of its own, as it is for QStash.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from qsops import frames
from qsops.fold.attempts import Attempts
from qsops.fold.kinds import KINDS
from qsops.fold.messages import message_table
from qsops.fold.portable import portable_attempts, portable_messages
from qsops.fold.steps import Steps

__all__ = ["KNOWN_STATES", "Folded", "Tables", "attempts", "fold", "messages", "tables"]

#: The states that mean something to the fold; any other is kept as it came.
KNOWN_STATES = frozenset(KINDS)


class Folded(NamedTuple):
    """Both frames of one log."""

    attempts: pd.DataFrame
    messages: pd.DataFrame


class Tables(NamedTuple):
    """Both tables of one log, as :data:`qsops.frames.PORTABLE_ATTEMPTS` and ``PORTABLE_MESSAGES``."""

    attempts: pa.Table
    messages: pa.Table


def tables(logs: pd.DataFrame | pa.Table) -> Tables:
    """:func:`fold` for Arrow, with the columns that make tables portable; no frame is made on the way.

    Bodies are told apart where ``logs`` has the columns of :data:`qsops.frames.BODIES`, and left out of the tables.
    """
    steps = Steps.of(logs)
    tried = Attempts.of(steps)
    return Tables(portable_attempts(tried.table()), portable_messages(message_table(steps, tried)))


def fold(logs: pd.DataFrame) -> Folded:
    """Both frames at once, for the price of little more than one: sorting the rows is most of the work."""
    steps = Steps.of(logs)
    tried = Attempts.of(steps)
    return Folded(
        frames.of_table(tried.table(), frames.ATTEMPTS),
        frames.of_table(message_table(steps, tried), frames.MESSAGES),
    )


def attempts(logs: pd.DataFrame) -> pd.DataFrame:
    """The attempts behind ``logs``, a frame of :data:`qsops.frames.ATTEMPTS`, by message and start.

    ``outcome`` is delivered, error (a failure that was not the last word), failed (the last attempt of a message that
    failed for good), canceled (under way when its message was, and never reported), in flight, or null where another
    attempt followed although no end was ever written. ``wait_ms`` runs from the end of the attempt before.
    """
    return frames.of_table(Attempts.of(Steps.of(logs)).table(), frames.ATTEMPTS)


def messages(logs: pd.DataFrame) -> pd.DataFrame:
    """The messages behind ``logs``, a frame of :data:`qsops.frames.MESSAGES`, by creation and id.

    ``state`` is DELIVERED, FAILED or CANCELED once the message is finished, else the latest it was in. A canceled one
    is finished when its cancel was asked for, since CANCELED is only written when the next attempt would have been due;
    what was delivered nevertheless is delivered. ``time_to_deliver_ms`` runs from creation to delivery.
    """
    steps = Steps.of(logs)
    return frames.of_table(message_table(steps, Attempts.of(steps)), frames.MESSAGES)
