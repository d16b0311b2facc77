"""How long delivery takes, over time."""

from __future__ import annotations

import pandas as pd

__all__ = ["latency"]


def latency(messages: pd.DataFrame, every: str = "1min") -> pd.DataFrame:
    """Time from creation to delivery by time of creation: ``created_at, messages, p50_s, p90_s, max_s``.

    ``every`` is the width of a bucket as pandas spells it (``1min``, ``1h``). Only delivered messages whose creation is
    known count; percentiles are interpolated, seconds to three decimals. A bucket without messages has no row.
    """
    delivered = messages[messages["time_to_deliver_ms"].notna() & messages["created_at"].notna()]
    seconds = delivered["time_to_deliver_ms"].astype("float64") / 1000
    groups = seconds.groupby(delivered["created_at"].dt.floor(every))
    return pd.DataFrame(
        {
            "messages": groups.size().astype("Int64"),
            "p50_s": groups.quantile(0.5).round(3),
            "p90_s": groups.quantile(0.9).round(3),
            "max_s": groups.max().round(3),
        }
    ).reset_index()
