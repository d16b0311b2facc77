"""One row per HTTP attempt."""

from __future__ import annotations

import pandas as pd

from qsops import frames
from qsops.fold.ordering import STARTS, ordered
from qsops.models import State

__all__ = ["attempts"]

_ENDS = (State.ERROR, State.DELIVERED)
_CANCELS = (State.CANCEL_REQUESTED, State.CANCELED, "CANCELLED")


def attempts(logs: pd.DataFrame) -> pd.DataFrame:
    """The attempts behind ``logs``, a frame of :data:`qsops.frames.ATTEMPTS`, by message and start.

    ``outcome`` is delivered, error (another attempt follows), failed (the last of a message that failed for good),
    canceled, or in flight. ``wait_ms`` is the time since the attempt before had ended.
    """
    rows = ordered(logs)
    starts, ends = _numbered(rows[rows["state"] == STARTS]), _numbered(_ends(rows))
    starts = starts.assign(number=starts["number"] + _begun_before(starts, ends))
    ends = ends.rename(columns={"time": "ended_at", "state": "end"})
    keys = ["message_id", "number"]
    paired = starts[[*keys, "time"]].merge(ends[[*keys, "ended_at", "end", "response_status", "error"]], "outer", keys)
    return frames.cast(_described(paired.rename(columns={"time": "started_at"}), rows), frames.ATTEMPTS)


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(number=rows.groupby("message_id", sort=False).cumcount() + 1)


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    """ERROR and DELIVERED; FAILED too where the last attempt has left no ERROR of its own."""
    ends = rows[rows["state"].isin(_ENDS)]
    counts = pd.DataFrame(
        {
            "starts": (rows["state"] == STARTS).groupby(rows["message_id"]).sum(),
            "ends": rows["state"].isin(_ENDS).groupby(rows["message_id"]).sum(),
        }
    )
    lacking = counts.index[counts["starts"] > counts["ends"]]
    failed = rows[(rows["state"] == State.FAILED) & rows["message_id"].isin(lacking)]
    return pd.concat([ends, failed]).sort_index()


def _begun_before(starts: pd.DataFrame, ends: pd.DataFrame) -> pd.Series:
    """1 for the starts of messages whose first end belongs to an attempt that began before the rows, else 0."""
    first_start = starts.groupby("message_id", sort=False)["time"].first()
    first_end = ends.groupby("message_id", sort=False)["time"].first()
    earlier = first_end.reindex(first_start.index) < first_start
    return starts["message_id"].map(earlier).fillna(False).astype("int64")


def _described(paired: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    facts = rows.groupby("message_id", sort=False).agg(
        url=("url", "first"), labels=("labels", "first"), queue=("queue", "first"), whole=("whole", "first")
    )
    found = paired.sort_values(["message_id", "number"], kind="stable").join(facts, on="message_id")
    previous_end = found.groupby("message_id", sort=False)["ended_at"].shift()
    return found.assign(
        attempt=found["number"].where(found["whole"]),
        label=found["labels"].str.replace(r",.*", "", regex=True),
        duration_ms=_milliseconds(found["ended_at"] - found["started_at"]),
        wait_ms=_milliseconds(found["started_at"] - previous_end),
        outcome=_outcomes(found, rows),
    )


def _outcomes(found: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    last = ~found.duplicated("message_id", keep="last")
    failed = found["message_id"].isin(rows.loc[rows["state"] == State.FAILED, "message_id"])
    canceled = found["message_id"].isin(rows.loc[rows["state"].isin(_CANCELS), "message_id"])
    outcome = pd.Series("in flight", index=found.index)
    outcome[found["end"].isna() & canceled] = "canceled"
    outcome[found["end"].notna()] = "error"
    outcome[found["end"].notna() & last & failed] = "failed"
    outcome[found["end"] == State.DELIVERED] = "delivered"
    return outcome


def _milliseconds(span: pd.Series) -> pd.Series:
    milliseconds: pd.Series = span.dt.total_seconds().mul(1000).round()
    return milliseconds
