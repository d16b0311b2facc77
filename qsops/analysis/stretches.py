"""Messages as counts by stretches of time: what intervals are computed from, however many messages there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from qsops.analysis import source

if TYPE_CHECKING:
    from qsops.analysis.source import Rows

__all__ = ["Stretches", "stretches"]

Array = npt.NDArray[Any]

#: Each range is cut into so many stretches of time, the pieces of its evidence.
_STRETCHES: Final = 40
_COUNTS: Final = ("messages", "tried", "first_try", "finished", "delivered", "counted", "attempts")
_TAKEN: Final = (*_COUNTS, "stretch_ms", "took_ms")
#: Values below this are exact; above it they keep three significant digits.
_EXACT_MS: Final = 1_000
_LARGEST_POWER: Final = 9


@dataclass(frozen=True)
class Stretches:
    """One side: counts by stretch of time, and how many were delivered after which time, by stretch."""

    counts: dict[str, Array]
    values_ms: Array
    times: Array

    @property
    def messages(self) -> int:
        return int(self.counts["messages"].sum())


def stretches(rows: Rows, by: str | None) -> dict[Any, Stretches]:
    """The messages ``rows`` by their value of ``by``, or all of them under None.

    Those of which the creation is not known are left out.

    :raises ValueError: there is no column ``by``.
    """
    table, keys = source.grouped(
        source.of(rows, "state", "attempts", "created_ms", "time_to_deliver_ms"),
        by,
        None,
        ("created_at", "created_ms"),
        _TAKEN,
    )
    table = table.filter(table.created_ms.notnull())
    span = source.frame_of(table.agg(first=table.created_ms.min(), last=table.created_ms.max()))
    if span["first"].isna().all():
        return {}
    first, last = int(span["first"].iloc[0]), int(span["last"].iloc[0])
    width_ms = (last - first) // _STRETCHES + 1
    since_ms = table.created_ms - first
    table = table.mutate(stretch_ms=since_ms - since_ms % width_ms, took_ms=_rounded(table.time_to_deliver_ms))
    by_stretch = _flagged(table).group_by([*keys, "stretch_ms"])
    counts = source.frame_of(by_stretch.agg(**{name: ibis._[name].sum() for name in _COUNTS}))
    delivered = table.filter(table.took_ms.notnull())
    times = source.frame_of(delivered.group_by([*keys, "stretch_ms", "took_ms"]).agg(delivered=ibis._.count()))
    return {
        None if pd.isna(key) else key: _stretches(counts[_is(counts, keys, key)], times[_is(times, keys, key)])
        for key in (counts[keys[0]].unique() if keys else [None])
    }


def _is(frame: pd.DataFrame, keys: list[str], key: Any) -> Any:
    if not keys:
        return slice(None)
    return frame[keys[0]].isna() if pd.isna(key) else (frame[keys[0]] == key).fillna(False)


def _flagged(table: Any) -> Any:
    """Ones and zeros that are to be summed up: the portable form of a filtered count."""
    finished = table.state.isin(["DELIVERED", "FAILED"])
    again = table.attempts.notnull() & (table.attempts > 1)
    tried = table.attempts.notnull() & (table.state.isin(["DELIVERED", "FAILED", "ERROR", "RETRY"]) | again)
    delivered = table.state == "DELIVERED"
    counted = finished & table.attempts.notnull()
    flags = {
        "messages": ibis.literal(True),
        "tried": tried,
        "first_try": delivered & table.attempts.notnull() & (table.attempts == 1),
        "finished": finished,
        "delivered": delivered,
        "counted": counted,
    }
    ones = {name: flag.ifelse(1, 0) for name, flag in flags.items()}
    return table.mutate(**ones, attempts=counted.ifelse(table.attempts, 0))


def _rounded(ms: Any) -> Any:
    """Whole milliseconds to three significant digits, so that a million times are a few thousand values."""
    cases = [(ms < _EXACT_MS, ms)]
    for power in range(1, _LARGEST_POWER):
        cases.append((ms < _EXACT_MS * 10**power, ms - ms % 10**power))
    return ibis.cases(*cases, else_=ms - ms % 10**_LARGEST_POWER)


def _stretches(counts: pd.DataFrame, times: pd.DataFrame) -> Stretches:
    stretches = counts["stretch_ms"].to_numpy(dtype=np.int64)
    values, column = np.unique(times["took_ms"].to_numpy(dtype=np.int64), return_inverse=True)
    order = np.argsort(stretches)
    row = np.searchsorted(stretches[order], times["stretch_ms"].to_numpy(dtype=np.int64))
    table = np.zeros((len(stretches), len(values)))
    table[row, column] = times["delivered"].to_numpy(dtype=np.int64)
    return Stretches({name: counts[name].to_numpy(dtype=np.float64)[order] for name in _COUNTS}, values, table)
