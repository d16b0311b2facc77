"""Messages that were delivered more than once, as QStash may do: what their consumer has to bear."""

from __future__ import annotations

import ibis
import pandas as pd

from qsops.analysis import source

__all__ = ["duplicates"]


def duplicates(attempts: source.Rows) -> pd.DataFrame:
    """Messages with more than one successful attempt, the first ones first.

    Columns ``message_id, url, label, deliveries, first_at, last_at``. Limits: an attempt whose success was not heard of
    stands as an error in the log, so that a consumer may have seen more than this; the frame is as long as there are
    such messages.
    """
    table = source.of(attempts, "message_id", "attempt", "url", "label", "outcome", "ended_ms")
    delivered = table.filter(table.outcome == "delivered")
    # The second delivery is no first attempt: few messages are looked at, however many there are.
    again = delivered.filter(delivered.attempt.isnull() | (delivered.attempt > 1))
    again = again.select("message_id").distinct()
    mine = delivered.semi_join(again, "message_id")
    counted = mine.group_by("message_id").agg(
        url=mine.url.min(),
        label=mine.label.min(),
        deliveries=ibis._.count(),
        first_at=mine.ended_ms.min(),
        last_at=mine.ended_ms.max(),
    )
    found = source.frame_of(counted.filter(counted.deliveries > 1))
    found = source.at_moments(source.at_moments(found, "first_at"), "last_at")
    return found.sort_values(["first_at", "message_id"], ignore_index=True)
