"""What is believed of each outage: from when until when, how surely, and how deep it was."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from qsops.whatif.columns import Array
from qsops.whatif.intervals import LEAST_SHARE, interval
from qsops.whatif.recoveries import Recoveries
from qsops.whatif.replay import Destination
from qsops.whatif.simulation import Histories

__all__ = ["COLUMNS", "outage_frame"]

COLUMNS: Final = [
    *("url", "began_at_low", "began_at", "began_at_high", "ended_at_low", "ended_at", "ended_at_high"),
    *("depth_pct", "failures", "certainty_pct"),
]


def outage_frame(histories: Histories) -> pd.DataFrame:
    """A row per outage that at least half of the draws have, by destination and time.

    Columns ``url``; ``began_at`` and ``ended_at``, the medians, each with the ends of its 90 % interval; ``depth_pct``,
    the share of attempts that failed; ``failures``, how many of the record fell into it; ``certainty_pct``, the share
    of draws that have it.
    """
    rows = [
        row
        for here, ends in zip(histories.destinations, histories.recoveries, strict=True)
        for row in _of_destination(here, ends, histories.draws)
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sort_values(["url", "began_at"], ignore_index=True)


def _of_destination(here: Destination, ends: Recoveries, draws: int) -> list[dict[str, Any]]:
    """One row for each stretch that is within an outage in most draws."""
    if not len(ends.draw):
        return []
    times = np.unique(np.concatenate([ends.began_ms, ends.ended_ms]))
    inside = np.searchsorted(np.sort(ends.began_ms), times, side="right")
    share = (inside - np.searchsorted(np.sort(ends.ended_ms), times, side="right")) / draws
    edges = np.diff(np.pad((share >= LEAST_SHARE).astype(np.int8), 1))
    rows = []
    for low, high in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        from_ms, to_ms = times[int(low)], times[min(int(high), len(times) - 1)]
        mine = (ends.began_ms < to_ms) & (ends.ended_ms > from_ms)
        rows.append(_row(here, _whole(ends, mine), float(np.unique(ends.draw[mine]).size) / draws))
    return rows


def _whole(ends: Recoveries, mine: Array) -> tuple[Array, Array, Array, Array]:
    """Per draw the beginning of its first piece of an outage and the end of its last, with all their failures."""
    draws, place = np.unique(ends.draw[mine], return_inverse=True)
    began = np.full(len(draws), np.inf)
    ended = np.full(len(draws), -np.inf)
    np.minimum.at(began, place, ends.began_ms[mine])
    np.maximum.at(ended, place, ends.ended_ms[mine])
    return draws, began, ended, np.bincount(place, weights=ends.failures[mine])


def _row(here: Destination, whole: tuple[Array, Array, Array, Array], certainty: float) -> dict[str, Any]:
    draws, began, ended, failures = whole
    shares = np.linspace(0.05, 0.95, 10)
    at_ms = (began[:, None] + shares * (ended - began)[:, None]).ravel()
    depth = here.health.failing(np.repeat(draws, len(shares)), at_ms)
    row: dict[str, Any] = {"url": here.record.url}
    for name, values in (("began_at", began), ("ended_at", ended)):
        ends = (pd.Timestamp(round(one), unit="ms", tz="UTC") for one in interval(values))
        row |= dict(zip((f"{name}_low", name, f"{name}_high"), ends, strict=True))
    return row | {
        "depth_pct": round(100 * float(depth.mean()), 1),
        "failures": int(np.median(failures)),
        "certainty_pct": round(100 * certainty, 1),
    }
