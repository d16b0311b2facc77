"""What each further attempt wins."""

from __future__ import annotations

import ibis
import pandas as pd

from qsops.analysis import source

__all__ = ["retry_ladder"]


def retry_ladder(attempts: source.Rows) -> pd.DataFrame:
    """One row per attempt number: what the n-th attempt won, over all messages.

    Columns ``attempt, attempts, delivered, success_pct, recovered_pct, median_wait_s``. ``success_pct`` is the share of
    the n-th attempts that delivered; ``recovered_pct`` the share they have in all messages that failed at first and
    were delivered later; ``median_wait_s`` the wait before them.

    Limits: attempts in flight are left out, and so are those whose number is not known because their message began
    before the range. A second delivery of a message that was delivered already counts as one more.
    """
    table = source.of(attempts, "attempt", "outcome", "ended_ms", "wait_ms")
    table = table.filter(table.attempt.notnull() & table.ended_ms.notnull())
    found = source.frame_of(
        table.group_by("attempt").agg(
            attempts=ibis._.count(),
            delivered=(table.outcome == "delivered").ifelse(1, 0).sum(),
            wait_ms=table.wait_ms.median(),
        )
    ).sort_values("attempt", ignore_index=True)
    saved = found["delivered"].where(found["attempt"] > 1)
    return pd.DataFrame(
        {
            "attempt": found["attempt"],
            "attempts": found["attempts"],
            "delivered": found["delivered"],
            "success_pct": source.percent(found["delivered"], found["attempts"]),
            "recovered_pct": source.percent(saved, saved.sum()),
            "median_wait_s": source.seconds(found["wait_ms"], 1),
        }
    )
