"""One row per message."""

from __future__ import annotations

import pandas as pd

from qsops import frames
from qsops.fold.attempts import attempts
from qsops.fold.ordering import ordered
from qsops.models import State

__all__ = ["messages"]

# What has happened for good counts before what only came later: a cancel may come too late for a delivery in flight.
_FINAL = (State.DELIVERED, State.FAILED, State.CANCELED, "CANCELLED", State.CANCEL_REQUESTED)


def messages(logs: pd.DataFrame) -> pd.DataFrame:
    """The messages behind ``logs``, a frame of :data:`qsops.frames.MESSAGES`, by creation and id.

    ``state`` is the final one, or the latest seen; a cancelled message is finished when its cancel was requested.
    ``time_to_deliver_ms`` runs from creation to delivery.
    """
    rows = ordered(logs)
    by_message = rows.groupby("message_id", sort=False)
    found = by_message.agg(
        url=("url", "first"),
        labels=("labels", "first"),
        queue=("queue", "first"),
        schedule_id=("schedule_id", "first"),
        state=("state", "last"),
        whole=("whole", "first"),
    )
    found["created_at"] = rows[rows["state"] == State.CREATED].groupby("message_id")["time"].first()
    found = _finished(found, rows).join(_tries(logs))
    delivered = found["finished_at"].where(found["state"] == State.DELIVERED)
    found = found.assign(
        label=found["labels"].str.replace(r",.*", "", regex=True),
        attempts=found["attempts"].fillna(0).where(found["whole"]),
        time_to_deliver_ms=(delivered - found["created_at"]).dt.total_seconds().mul(1000).round(),
    )
    found = found.reset_index().sort_values(["created_at", "message_id"], kind="stable", na_position="first")
    return frames.cast(found, frames.MESSAGES)


def _finished(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    found["finished_at"] = pd.Series(pd.NaT, index=found.index, dtype=rows["time"].dtype)
    for state in reversed(_FINAL):
        at = rows[rows["state"] == state].groupby("message_id")["time"].first()
        found.loc[at.index, "state"] = state
        # CANCELED is written when the next attempt would have been due: the message was over when it was asked for.
        found.loc[at.index, "finished_at"] = (
            at if state not in {State.CANCELED, "CANCELLED"} else found.loc[at.index, "finished_at"].fillna(at)
        )
    return found


def _tries(logs: pd.DataFrame) -> pd.DataFrame:
    """How many attempts each message has had, and the answer and error of its last that ended."""
    tried = attempts(logs)
    counts = tried.groupby("message_id", sort=False).size().rename("attempts")
    last = tried[tried["ended_at"].notna()].drop_duplicates("message_id", keep="last").set_index("message_id")
    return counts.to_frame().join(
        last[["response_status", "error"]].rename(columns={"response_status": "last_status", "error": "last_error"})
    )
