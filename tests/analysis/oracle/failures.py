"""What failed where: attempts without success, by destination and answer."""

from __future__ import annotations

import pandas as pd

from tests.analysis.oracle.recovered import retried_to_success

__all__ = ["failures"]

_KEYS = ["url", "response_status", "error"]


def failures(attempts: pd.DataFrame) -> pd.DataFrame:
    """Failed attempts by destination, status and error, the most frequent first.

    Columns ``url, response_status, error, attempts, messages, recovered, first_at, last_at``. ``recovered`` counts
    those of the messages that were delivered by a later attempt; a status that is null, or 0, means that no answer
    came.
    """
    delivered = retried_to_success(attempts)
    failed = attempts[attempts["outcome"].isin(["error", "failed"])]
    failed = failed.assign(response_status=failed["response_status"].fillna(0))
    failed = failed.assign(saved=failed["message_id"].where(failed["message_id"].isin(delivered)))
    groups = failed.groupby(_KEYS, dropna=False, sort=True)
    found = groups.agg(
        attempts=("message_id", "size"),
        messages=("message_id", "nunique"),
        recovered=("saved", "nunique"),
        first_at=("ended_at", "min"),
        last_at=("ended_at", "max"),
    ).reset_index()
    return found.sort_values(["attempts", *_KEYS], ascending=[False, True, True, True], ignore_index=True)
