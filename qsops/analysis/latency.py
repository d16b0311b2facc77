"""How long delivery takes, or an attempt."""

from __future__ import annotations

from typing import Final

import ibis
import pandas as pd

from qsops.analysis import source

__all__ = ["latency"]

_SHARES: Final = {"p50_s": 0.5, "p90_s": 0.9, "p95_s": 0.95, "p99_s": 0.99}


def latency(rows: source.Rows, every: str | None = None, *, by: str | None = None) -> pd.DataFrame:
    """Time from creation to delivery of messages, or from start to end of attempts.

    Of messages ``created_at, messages, p50_s, p90_s, p95_s, p99_s, max_s``, of attempts ``started_at, attempts`` and
    the same: a row for each bucket of ``every``, a width of time as pandas spells it (``1h``; unless named ``1min``).
    ``by`` names a column (``url``, ``label``, ``queue``): a row for each of its values instead, or for each bucket and
    value where both are named. Percentiles are exact and interpolated, seconds to three decimals.

    Limits: of messages only those count that were delivered and whose creation is known, by the time of creation, so
    that young buckets hold the quick ones only; of attempts those whose start and end are known. A bucket without any
    has no row.

    :raises ValueError: ``every`` is no width of time, or the rows have no column ``by``.
    """
    table = source.of(rows)
    of_messages = "time_to_deliver_ms" in table.columns
    took, unit = ("time_to_deliver_ms", "messages") if of_messages else ("duration_ms", "attempts")
    time = ("created_at", "created_ms") if of_messages else ("started_at", "started_ms")
    if every is None and by is None:
        every = "1min"
    table = source.of(table, took, time[1])
    table = table.filter(table[took].notnull() & table[time[1]].notnull())
    table, within = source.grouped(table, by, every, time, (unit, "quantiles", "max_s", *_SHARES))
    # One aggregate for all shares, since each by itself would hold every value.
    quantiles = table[took].quantile([*_SHARES.values()])
    found = source.frame_of(
        table.group_by(within).agg(**{unit: ibis._.count()}, quantiles=quantiles, max_s=table[took].max())
    )
    found = source.at_moments(found, time[0] if every else None)
    shares = pd.DataFrame([*found.pop("quantiles")], columns=[*_SHARES], index=found.index)
    for name in _SHARES:
        found[name] = source.seconds(shares[name], 3)
    found["max_s"] = source.seconds(found.pop("max_s"), 3)
    return found.sort_values(within, ignore_index=True)
