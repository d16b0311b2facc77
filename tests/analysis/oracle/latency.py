"""How long delivery takes, or an attempt."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["latency"]


def latency(rows: pd.DataFrame, every: str | None = None, *, by: str | None = None) -> pd.DataFrame:
    """Percentiles of each bucket, value or both, one group after the other."""
    of_messages = "time_to_deliver_ms" in rows
    took, time, unit = (
        ("time_to_deliver_ms", "created_at", "messages") if of_messages else ("duration_ms", "started_at", "attempts")
    )
    every = "1min" if every is None and by is None else every
    known = rows[rows[took].notna() & rows[time].notna()]
    keys = []
    if every is not None:
        known = known.assign(**{time: known[time].dt.floor(every)})
        keys.append(time)
    if by is not None:
        keys.append(by)
    found = []
    for values, group in known.groupby(keys, dropna=False, sort=True):
        seconds = group[took].to_numpy(dtype=float) / 1000
        shares = {f"p{share}_s": round(float(np.percentile(seconds, share)), 3) for share in (50, 90, 95, 99)}
        found.append({**dict(zip(keys, values, strict=True)), unit: len(group), **shares, "max_s": seconds.max()})
    return pd.DataFrame(found, columns=[*keys, unit, "p50_s", "p90_s", "p95_s", "p99_s", "max_s"])
