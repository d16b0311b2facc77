"""When a destination did not work: stretches of its attempts in which far more failed than otherwise."""

from __future__ import annotations

import math
from typing import Any, Final

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from qsops.analysis import source
from qsops.analysis.failed import failed_attempts
from qsops.analysis.runs import READ, judged, runs
from qsops.analysis.segments import Segment, best_segments
from qsops.compute import beside

__all__ = ["COLUMNS", "outages"]

Array = npt.NDArray[Any]

#: In an outage at least this share of the attempts fails.
_LEAST_DEPTH: Final = 0.3
_DEEPEST: Final = 0.99
#: What a destination's usual share of failures is taken for, at the least and at the most.
_USUAL: Final = (0.001, 0.1)
#: Looked for again with the usual share outside of what was found, at first by so much of the evidence: where attempts
#: are few, an outage is a good part of what its destination's usual share is told from.
_PASSES: Final = (0.5, 1.0)

COLUMNS: Final = [
    *("url", "began_at", "ended_at", "duration_s", "attempts", "failed", "depth_pct"),
    *("messages", "recovered", "response_status", "error"),
]
_INTERVALS: Final = pa.schema(
    [
        ("outage", pa.int64()),
        ("url", pa.string()),
        ("from_ms", pa.int64()),
        ("to_ms", pa.int64()),
        ("attempts", pa.int64()),
        ("failed", pa.int64()),
    ]
)
_SAID: Final = ["response_status", "error_fingerprint"]
_READ: Final = ("url", "message_id", "attempt", "outcome", "down", "at_ms", "ended_ms", *_SAID)


def outages(attempts: source.Rows, *, least_odds: float = 1e6) -> pd.DataFrame:
    """Intervals in which a destination failed, by their beginning.

    An interval is one if its outcomes are ``least_odds`` times as likely where three in ten attempts fail as they are
    at the destination's usual share of failures: five failures in a row, or more of them among successes. What fails
    for the message's own fault (4xx but 408, 425 and 429) is taken for an answer.

    Columns ``url, began_at, ended_at, duration_s, attempts, failed, depth_pct, messages, recovered, response_status,
    error``. It begins with the start of its first failure, and ends with the end of its last. ``depth_pct`` is the
    share of its attempts that failed, ``messages`` how many it hit, ``recovered`` how many of these a retry delivered;
    status and error are its most frequent ones, numbers in the text left out.

    Limits: a destination with few attempts hides short outages; where it always fails, its whole history is one.

    :raises ValueError: ``least_odds`` is not above 1.
    """
    if not least_odds > 1:
        raise ValueError(f"least_odds={least_odds!r} is no evidence: name odds above 1, such as 1e6")
    table = judged(source.of(attempts, *READ))
    intervals = _intervals(runs(table), math.log(least_odds))
    told = _told(table, intervals)
    hit = told.groupby("outage").agg({"ended_ms": "max", "messages": "sum", "recovered": "sum"})
    found = source.frame_of_table(intervals).join(hit, on="outage").join(_most_frequent(told), on="outage")
    found["began_at"], found["ended_at"] = source.moments(found["from_ms"]), source.moments(found["ended_ms"])
    found["duration_s"] = source.seconds(found["ended_ms"] - found["from_ms"], 3)
    found["depth_pct"] = source.percent(found["failed"], found["attempts"])
    return found.sort_values(["began_at", "url"], ignore_index=True)[COLUMNS]


def _intervals(found: pd.DataFrame, least: float) -> pa.Table:
    """The outages among runs: ``outage`` numbers them, and no failure of theirs lies outside of their interval."""
    rows: list[tuple[Any, ...]] = []
    for url, group in found.groupby("url", sort=True):
        columns = {name: group[name].to_numpy(dtype=np.int64) for name in ("down", "length", "from_ms", "to_ms")}
        down, length = columns["down"] == 1, columns["length"]
        for first, last, _ in _of_destination(down, length, least):
            inside = slice(first, last + 1)
            failed = int(length[inside][down[inside]].sum())
            span = (int(columns["from_ms"][first]), int(columns["to_ms"][last]))
            rows.append((len(rows), url, *span, int(length[inside].sum()), failed))
    return pa.Table.from_pylist([dict(zip(_INTERVALS.names, row, strict=True)) for row in rows], _INTERVALS)


def _of_destination(down: Array, length: Array, least: float) -> list[Segment]:
    """The outages among runs, as their first and last one."""
    outside = np.ones(len(down), dtype=bool)
    found: list[Segment] = []
    for part in _PASSES:
        share = np.average(down[outside], weights=length[outside]) if outside.any() else 1.0
        usual = float(np.clip(share, *_USUAL))
        likely = _scored(down, length, usual, _LEAST_DEPTH, part * least)
        found = [_narrowed(down, length, one, usual) for one in likely]
        outside[:] = True
        for one in found:
            outside[one.first : one.last + 1] = False
    return found


def _narrowed(down: Array, length: Array, found: Segment, usual: float) -> Segment:
    """The same outage without the failures at its edges that are as rare as usual, beside how deep it is."""
    inside = slice(found.first, found.last + 1)
    depth = float(np.clip(np.average(down[inside], weights=length[inside]), _LEAST_DEPTH, _DEEPEST))
    best = max(_scored(down[inside], length[inside], usual, depth, 0), key=lambda one: one.score)
    return Segment(found.first + best.first, found.first + best.last, found.score)


def _scored(down: Array, length: Array, usual: float, depth: float, least: float) -> list[Segment]:
    """The stretches that are better explained by a share ``depth`` of failures than by the ``usual`` one."""
    failed, fine = math.log(depth / usual), math.log((1 - depth) / (1 - usual))
    return best_segments((np.where(down, failed, fine) * length).tolist(), least)


def _told(attempts: Any, intervals: pa.Table) -> pd.DataFrame:
    """What failures said in each outage: ``outage, response_status, error_fingerprint, attempts, ended_ms`` and more.

    Each of the ``messages`` of an outage, and of those ``recovered``, is counted in one row of it.
    """
    spans = beside(attempts, intervals.rename_columns({"url": "hit_url", "attempts": "hit", "failed": "hit_failed"}))
    failed = failed_attempts(attempts.select(*_READ))
    failed = failed.filter(failed.down == 1)
    inside = failed.join(
        spans, [failed.url == spans.hit_url, failed.at_ms >= spans.from_ms, failed.at_ms <= spans.to_ms]
    )
    each = inside.group_by(["outage", "message_id", *_SAID]).agg(
        attempts=ibis._.count(), saved=inside.saved.max(), ended_ms=inside.ended_ms.max()
    )
    place = ibis.row_number().over(ibis.window(group_by=["outage", "message_id"], order_by=_SAID))
    counted = each.mutate(place=place)
    first = counted.place == 0
    found = counted.group_by(["outage", *_SAID]).agg(
        attempts=counted.attempts.sum(),
        ended_ms=counted.ended_ms.max(),
        messages=first.ifelse(1, 0).sum(),
        recovered=first.ifelse(counted.saved, 0).sum(),
    )
    return source.frame_of(found)


def _most_frequent(told: pd.DataFrame) -> pd.DataFrame:
    """The status and the error of each outage that most attempts have, each by itself; the smaller one of two."""
    found = {}
    for name, column in (("response_status", "response_status"), ("error", "error_fingerprint")):
        counts = told.dropna(subset=column).groupby(["outage", column])["attempts"].sum().reset_index()
        counts = counts.sort_values(["outage", "attempts", column], ascending=[True, False, True])
        found[name] = counts.drop_duplicates("outage").set_index("outage")[column]
    return pd.DataFrame(found)
