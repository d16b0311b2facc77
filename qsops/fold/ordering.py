"""Log rows in the order of their story: per message, by time, and by what must come first within a millisecond."""

from __future__ import annotations

from typing import Final

import pandas as pd

from qsops.models import State

__all__ = ["STARTS", "ordered"]

#: The states of an attempt's start.
STARTS: Final = State.ACTIVE

# Within one millisecond; a state that is not known stands after the known steps and before the ends.
_RANKS: Final = {
    State.CREATED: 0,
    State.ACTIVE: 1,
    State.ERROR: 2,
    State.RETRY: 3,
    State.CANCEL_REQUESTED: 5,
    State.CANCELED: 6,
    "CANCELLED": 6,
    State.FAILED: 7,
    State.DELIVERED: 8,
}
_UNKNOWN_RANK: Final = 4


def ordered(logs: pd.DataFrame) -> pd.DataFrame:
    """``logs`` without doubles, sorted; ``whole`` says whether the message's CREATED is among the rows."""
    rows = logs.drop_duplicates(["message_id", "time", "state", "seq"])
    rows = rows.assign(rank=rows["state"].map(_RANKS).fillna(_UNKNOWN_RANK).astype("int8"))
    rows = rows.sort_values(["message_id", "time", "rank", "seq"], kind="stable").reset_index(drop=True)
    created = rows.loc[rows["state"] == State.CREATED, "message_id"]
    return rows.assign(whole=rows["message_id"].isin(created))
