"""When a destination did not work: stretches of its attempts in which far more failed than otherwise."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qsops.fold.fingerprints import without_ids
from tests.analysis.oracle.recovered import retried_to_success
from tests.analysis.oracle.segments import Segment, best_segments

__all__ = ["COLUMNS", "outages"]

Array = npt.NDArray[Any]

#: The message's own fault, unless it is one of these.
_CLIENT_ERRORS: Final = range(400, 500)
_FOR_NOW: Final = (408, 425, 429)
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


def outages(attempts: pd.DataFrame, *, least_odds: float = 1e6) -> pd.DataFrame:
    """Intervals in which a destination failed, by their beginning.

    An interval is one if its outcomes are ``least_odds`` times as likely where three in ten attempts fail as they are
    at the destination's usual share of failures: five failures in a row, or more of them among successes. What fails
    for the message's own fault (4xx but 408, 425 and 429) is taken for an answer.

    Columns ``url, began_at, ended_at, duration_s, attempts, failed, depth_pct, messages, recovered, response_status,
    error``. It begins with the start of its first failure, and ends with the end of its last. ``depth_pct`` is the
    share of its attempts that failed, ``messages`` how many it hit, ``recovered`` how many of these were delivered by
    another attempt; status and error are its most frequent ones, numbers in the text left out.

    Limits: a destination with few attempts hides short outages; where it always fails, its whole history is one.
    """
    ended = attempts[attempts["ended_at"].notna() & attempts["outcome"].isin(["delivered", "error", "failed"])]
    delivered = frozenset(retried_to_success(attempts))
    rows = [
        _row(url, group.iloc[one.first : one.last + 1], delivered)
        for url, group in _by_destination(ended)
        for one in _of_destination(group["down"].to_numpy(), math.log(least_odds))
    ]
    found = pd.DataFrame(rows, columns=COLUMNS)
    return found.sort_values(["began_at", "url"], ignore_index=True)


def _by_destination(ended: pd.DataFrame) -> Any:
    status = ended["response_status"].fillna(0)
    own_fault = status.isin(_CLIENT_ERRORS) & ~status.isin(_FOR_NOW)
    down = (ended["outcome"] != "delivered") & ~own_fault
    at = ended["started_at"].fillna(ended["ended_at"])
    ordered = ended.assign(down=down.astype(bool), at=at).sort_values(["url", "at", "down"], kind="stable")
    return ordered.groupby("url", sort=True)


def _of_destination(down: Array, least: float) -> list[Segment]:
    """The outages among outcomes in the order of their attempts."""
    outside = np.ones(len(down), dtype=bool)
    found: list[Segment] = []
    for part in _PASSES:
        share = down[outside].mean() if outside.any() else 1.0
        usual = float(np.clip(share, *_USUAL))
        found = [_narrowed(down, one, usual) for one in _scored(down, usual, _LEAST_DEPTH, part * least)]
        outside[:] = True
        for one in found:
            outside[one.first : one.last + 1] = False
    return found


def _narrowed(down: Array, found: Segment, usual: float) -> Segment:
    """The same outage without the failures at its edges that are as rare as usual, beside how deep it is."""
    inner = down[found.first : found.last + 1]
    depth = float(np.clip(inner.mean(), _LEAST_DEPTH, _DEEPEST))
    best = max(_scored(inner, usual, depth, 0), key=lambda one: one.score)
    return Segment(found.first + best.first, found.first + best.last, found.score)


def _scored(down: Array, usual: float, depth: float, least: float) -> list[Segment]:
    """The stretches that are better explained by a share ``depth`` of failures than by the ``usual`` one."""
    failed, fine = math.log(depth / usual), math.log((1 - depth) / (1 - usual))
    # Equal outcomes in a row are one step: most are successes.
    begins = np.flatnonzero(np.diff(down, prepend=~down[:1]))
    lengths = np.diff(begins, append=len(down))
    runs = best_segments((np.where(down[begins], failed, fine) * lengths).tolist(), least)
    return [Segment(int(begins[one.first]), int(begins[one.last] + lengths[one.last] - 1), one.score) for one in runs]


def _row(url: str, hit: pd.DataFrame, delivered: frozenset[str]) -> dict[str, Any]:
    failed = hit[hit["down"]]
    ids = frozenset(failed["message_id"])
    began_at, ended_at = failed["started_at"].fillna(failed["ended_at"]).min(), failed["ended_at"].max()
    status, error = failed["response_status"].fillna(0).mode(), without_ids(failed["error"]).mode()
    return {
        "url": url,
        "began_at": began_at,
        "ended_at": ended_at,
        "duration_s": round((ended_at - began_at).total_seconds(), 3),
        "attempts": len(hit),
        "failed": len(failed),
        "depth_pct": round(100 * len(failed) / len(hit), 1),
        "messages": len(ids),
        "recovered": len(ids & delivered),
        "response_status": int(status.iloc[0]),
        "error": None if error.empty else str(error.iloc[0]),
    }
