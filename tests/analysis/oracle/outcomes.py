"""How many messages, or attempts, ended in which way."""

from __future__ import annotations

import pandas as pd

__all__ = ["outcomes"]


def outcomes(rows: pd.DataFrame, by: str | None = None, every: str | None = None) -> pd.DataFrame:
    """Counts, and their shares of the bucket and value that they are of."""
    kind, unit, time = ("state", "messages", "created_at") if "state" in rows else ("outcome", "attempts", "started_at")
    within = []
    if every is not None:
        rows = rows[rows[time].notna()]
        rows = rows.assign(**{time: rows[time].dt.floor(every)})
        within.append(time)
    if by is not None:
        within.append(by)
    keys = [*within, kind]
    counts = rows.groupby(keys, dropna=False, sort=True).size().rename(unit).reset_index()
    whole = counts.groupby(within, dropna=False)[unit].transform("sum") if within else counts[unit].sum()
    counts["share_pct"] = (100 * counts[unit] / whole).round(1)
    order = [*within, unit, kind]
    return counts.sort_values(order, ascending=[column != unit for column in order], ignore_index=True)
