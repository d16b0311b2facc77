"""Failures that are one: attempts that failed alike, whatever ids and numbers their errors and answers hold."""

from __future__ import annotations

from typing import Any, Final

import ibis
import pandas as pd

from qsops.analysis import source
from qsops.analysis.failed import failed_attempts
from qsops.fold.fingerprints import fingerprint

__all__ = ["failure_groups"]

_SAMPLES: Final = ["sample_0", "sample_1", "sample_2"]
_KEYS: Final = ["response_status", "error", "body"]
_READ: Final = (
    *("message_id", "attempt", "url", "outcome", "ended_ms"),
    *("response_status", "error_fingerprint", "body_fingerprint"),
)
_COLUMNS: Final = [
    *("group", "response_status", "error", "attempts", "share_pct", "messages", "recovered", "urls"),
    *("first_at", "last_at", "sample_ids", "body"),
]


def failure_groups(attempts: source.Rows) -> pd.DataFrame:
    """Failed attempts by status, error and answer without ids, numbers, hosts and quoted words; largest first.

    Columns ``group, response_status, error, attempts, share_pct, messages, recovered, urls, first_at, last_at,
    sample_ids, body``. ``group`` is a fingerprint that stays the same from day to day; status 0 means that no answer
    came. ``share_pct`` is of all failed attempts; ``recovered`` counts those of the ``messages`` a retry delivered;
    ``urls`` how many destinations are in it; ``sample_ids`` are its first three messages.

    Limits: ``body`` is null unless the log was pulled, or the archive synced, with bodies; an id without a digit in it
    parts what belongs together, and of long texts only the beginning counts (:mod:`qsops.fold.fingerprints`).
    """
    each = _each_message(source.of(attempts, *_READ))
    found = source.frame_of(
        each.group_by(_KEYS).agg(
            attempts=each.attempts.sum(),
            messages=ibis._.count(),
            recovered=each.saved.sum(),
            urls=each.url.nunique(),
            first_at=each.first_ms.min(),
            last_at=each.last_ms.max(),
            **{name: each.message_id.max(where=each.place == place) for place, name in enumerate(_SAMPLES)},
        )
    )
    found = source.at_moments(source.at_moments(found, "first_at"), "last_at")
    found["share_pct"] = source.percent(found["attempts"], max(1, found["attempts"].sum()))
    text = found["error"].dtype
    keys = found[_KEYS].astype(object).where(found[_KEYS].notna(), None)
    found["group"] = pd.Series([fingerprint(*key) for key in keys.itertuples(index=False)], dtype=text)
    ids = found[_SAMPLES].itertuples(index=False)
    found["sample_ids"] = pd.Series([",".join(one for one in row if isinstance(one, str)) for row in ids], dtype=text)
    order = ["attempts", *_KEYS]
    return found.sort_values(order, ascending=[name != "attempts" for name in order], ignore_index=True)[_COLUMNS]


def _each_message(attempts: Any) -> Any:
    """The failed attempts of each message in each group as one row, with its ``place`` in the group, from 0."""
    failed = failed_attempts(attempts.select(*_READ))
    failed = failed.rename(error="error_fingerprint", body="body_fingerprint")
    each = failed.group_by([*_KEYS, "message_id"]).agg(
        url=failed.url.min(),
        attempts=ibis._.count(),
        saved=failed.saved.max(),
        first_ms=failed.ended_ms.min(),
        last_ms=failed.ended_ms.max(),
    )
    in_order = ibis.window(group_by=_KEYS, order_by=[each.first_ms, each.message_id])
    return each.mutate(place=ibis.row_number().over(in_order))
