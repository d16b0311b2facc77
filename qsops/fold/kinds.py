"""What the states of the log mean for the fold."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy.typing as npt

from qsops.models import State

__all__ = ["KINDS", "Array", "Kind"]

Array = npt.NDArray[Any]


class Kind(IntEnum):
    """What a state means for the fold, in the order that holds within one millisecond unless causes tell otherwise."""

    CREATED = 0
    ACTIVE = 1
    ERROR = 2
    RETRY = 3
    UNKNOWN = 4
    CANCEL_REQUESTED = 5
    CANCELED = 6
    FAILED = 7
    DELIVERED = 8


#: The kind of each state that is known.
KINDS: Final = {
    State.CREATED: Kind.CREATED,
    State.ACTIVE: Kind.ACTIVE,
    State.ERROR: Kind.ERROR,
    State.RETRY: Kind.RETRY,
    State.CANCEL_REQUESTED: Kind.CANCEL_REQUESTED,
    State.CANCELED: Kind.CANCELED,
    "CANCELLED": Kind.CANCELED,
    State.FAILED: Kind.FAILED,
    State.DELIVERED: Kind.DELIVERED,
}
