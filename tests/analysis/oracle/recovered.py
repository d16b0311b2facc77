"""Messages that a retry delivered."""

import pandas as pd

__all__ = ["retried_to_success"]


def retried_to_success(attempts: pd.DataFrame) -> set[str]:
    """Delivered by an attempt that was not the first, or whose number is not known."""
    delivered = attempts[attempts["outcome"] == "delivered"]
    return {row.message_id for row in delivered.itertuples() if pd.isna(row.attempt) or row.attempt != 1}
