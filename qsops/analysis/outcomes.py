"""How many messages, or attempts, ended in which way."""

from __future__ import annotations

import ibis
import pandas as pd

from qsops.analysis import source

__all__ = ["outcomes"]


def outcomes(rows: source.Rows, by: str | None = None, every: str | None = None) -> pd.DataFrame:
    """Messages per state, or attempts per outcome, the most frequent first.

    Of messages ``state, messages, share_pct``; of attempts ``outcome, attempts, share_pct``. ``by`` names a column
    (``url``, ``label``, ``queue``) whose values come first, and ``every`` a width of time as pandas spells it (``1h``),
    which puts ``created_at``, of attempts ``started_at``, before all: the beginning of the bucket. ``share_pct`` is of
    all, or of those of the same bucket and value, to one decimal.

    Limits: with ``every``, rows whose time is not known are left out. States are those that were known when the rows
    were read, so that young buckets hold more that is under way.

    :raises ValueError: ``every`` is no width of time, or the rows have no column ``by``.
    """
    table = source.of(rows)
    of_messages = "state" in table.columns
    kind, unit = ("state", "messages") if of_messages else ("outcome", "attempts")
    time = ("created_at", "created_ms") if of_messages else ("started_at", "started_ms")
    table, within = source.grouped(source.of(table, kind), by, every, time, (kind, unit, "share_pct"))
    found = source.frame_of(table.group_by([*within, kind]).agg(**{unit: ibis._.count()}))
    found = source.at_moments(found, time[0] if every else None)
    groups = [found[name] for name in within]
    whole = found.groupby(groups, dropna=False)[unit].transform("sum") if within else found[unit].sum()
    found["share_pct"] = source.percent(found[unit], whole)
    order = [*within, unit, kind]
    return found.sort_values(order, ascending=[name != unit for name in order], ignore_index=True)
