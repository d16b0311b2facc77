"""Failures that are one: attempts that failed alike, whatever ids and numbers their errors hold."""

from __future__ import annotations

from typing import Final

import pandas as pd

from qsops.fold.fingerprints import fingerprint, without_ids
from tests.analysis.oracle.recovered import retried_to_success

__all__ = ["failure_groups"]

_SAMPLES: Final = 3
_KEYS: Final = ["response_status", "error", "body"]
_COLUMNS: Final = [
    *("group", "response_status", "error", "attempts", "share_pct", "messages", "recovered", "urls"),
    *("first_at", "last_at", "sample_ids", "body"),
]


def failure_groups(attempts: pd.DataFrame) -> pd.DataFrame:
    """Failed attempts by status and error, of which ids, numbers, hosts and quoted words are left out; largest first.

    Columns ``group, response_status, error, attempts, share_pct, messages, recovered, urls, first_at, last_at,
    sample_ids``. ``group`` is a fingerprint that stays the same from day to day; status 0 means that no answer came.
    ``share_pct`` is of all failed attempts; ``recovered`` counts those of the ``messages`` that were delivered by
    another attempt; ``urls`` how many destinations are in it; ``sample_ids`` are its first three messages.

    Limits: it knows the error's text, not the answer's body; an id without a digit in it parts what belongs together.
    """
    failed = attempts[attempts["outcome"].isin(["error", "failed"])]
    delivered = retried_to_success(attempts)
    failed = failed.assign(
        response_status=failed["response_status"].fillna(0),
        error=without_ids(failed["error"]),
        body=without_ids(failed["response_body"]) if "response_body" in failed else None,
        saved=failed["message_id"].where(failed["message_id"].isin(delivered)),
    )
    failed = failed.sort_values(["ended_at", "message_id"], kind="stable")
    found = (
        failed.groupby(_KEYS, dropna=False, sort=True)
        .agg(
            attempts=("message_id", "size"),
            messages=("message_id", "nunique"),
            recovered=("saved", "nunique"),
            urls=("url", "nunique"),
            first_at=("ended_at", "min"),
            last_at=("ended_at", "max"),
            sample_ids=("message_id", _samples),
        )
        .reset_index()
    )
    keys = found[_KEYS].astype(object).where(found[_KEYS].notna(), None)
    found["group"] = [fingerprint(*key) for key in keys.itertuples(index=False)]
    found["share_pct"] = (100 * found["attempts"] / max(1, len(failed))).astype("Float64").round(1)
    order = ["attempts", *_KEYS]
    return found.sort_values(order, ascending=[False, True, True, True], ignore_index=True)[_COLUMNS]


def _samples(ids: pd.Series) -> str:
    return ",".join(ids.drop_duplicates().head(_SAMPLES))
