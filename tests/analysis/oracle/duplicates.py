"""Messages that were delivered more than once, as QStash may do: what their consumer has to bear."""

from __future__ import annotations

import pandas as pd

__all__ = ["duplicates"]


def duplicates(attempts: pd.DataFrame) -> pd.DataFrame:
    """Messages with more than one successful attempt, the first ones first.

    Columns ``message_id, url, label, deliveries, first_at, last_at``. Limits: an attempt whose success was not heard of
    stands as an error in the log, so that a consumer may have seen more than this.
    """
    delivered = attempts[attempts["outcome"] == "delivered"]
    found = (
        delivered.groupby("message_id", sort=True)
        .agg(
            url=("url", "first"),
            label=("label", "first"),
            deliveries=("message_id", "size"),
            first_at=("ended_at", "min"),
            last_at=("ended_at", "max"),
        )
        .reset_index()
    )
    return found[found["deliveries"] > 1].sort_values(["first_at", "message_id"], ignore_index=True)
