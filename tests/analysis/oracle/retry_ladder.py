"""What each further attempt wins."""

from __future__ import annotations

import pandas as pd

__all__ = ["retry_ladder"]


def retry_ladder(attempts: pd.DataFrame) -> pd.DataFrame:
    """One row per attempt number: what the n-th attempt won, over all messages.

    Columns ``attempt, attempts, delivered, success_pct, recovered_pct, median_wait_s``. ``success_pct`` is the share of
    the n-th attempts that delivered; ``recovered_pct`` the share they have in all messages that failed at first and
    were delivered later; ``median_wait_s`` the wait before them. Attempts in flight are left out, and so are those
    whose number is not known because their message began before the range.
    """
    ended = attempts[attempts["attempt"].notna() & attempts["ended_at"].notna()]
    found = (
        ended.assign(won=ended["outcome"] == "delivered")
        .groupby("attempt", sort=True)
        .agg(attempts=("won", "size"), delivered=("won", "sum"), wait_ms=("wait_ms", "median"))
        .reset_index()
    )
    saved = found["delivered"].where(found["attempt"] > 1)
    return pd.DataFrame(
        {
            "attempt": found["attempt"].astype("Int64"),
            "attempts": found["attempts"].astype("Int64"),
            "delivered": found["delivered"].astype("Int64"),
            "success_pct": (100 * found["delivered"] / found["attempts"]).astype("Float64").round(1),
            "recovered_pct": (100 * saved / saved.sum()).astype("Float64").round(1),
            "median_wait_s": (found["wait_ms"] / 1000).astype("Float64").round(1),
        }
    )
