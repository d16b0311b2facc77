"""How many messages ended in which state."""

from __future__ import annotations

import pandas as pd

__all__ = ["outcomes"]


def outcomes(messages: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Messages per state: ``state, messages, share_pct``, the most frequent first; per value of ``by``, if named.

    ``share_pct`` is of all messages, or of those of the same value of ``by``, to one decimal.
    """
    keys = ["state"] if by is None else [by, "state"]
    counts = messages.groupby(keys, dropna=False, sort=True).size().rename("messages").reset_index()
    whole = counts["messages"].sum() if by is None else counts.groupby(by, dropna=False)["messages"].transform("sum")
    counts["share_pct"] = (100 * counts["messages"] / whole).round(1)
    order = ["messages", "state"] if by is None else [by, "messages", "state"]
    return counts.sort_values(order, ascending=[column != "messages" for column in order], ignore_index=True)
