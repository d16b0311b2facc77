"""When a destination did not work: stretches of its attempts in which far more failed than otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from qsops.fold.fingerprints import without_ids
from tests.analysis.oracle.recovered import retried_to_success

__all__ = ["COLUMNS", "outages"]

#: The message's own fault, unless it is one of these.
_CLIENT_ERRORS: Final = range(400, 500)
_FOR_NOW: Final = (408, 425, 429)

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
        for one in _of_destination(group["down"].tolist(), least_odds)
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


class Stretch(NamedTuple):
    """Attempts from ``first`` to ``last``, both of them failures."""

    first: int
    last: int


def _of_destination(outcomes: Sequence[bool], odds: float) -> list[Stretch]:
    """The outages among outcomes, True for a failure, in the order of their attempts: see docs/analysis.md."""
    at_first = _narrowed_all(outcomes, _usual(outcomes, []), math.log(odds) / 2)
    return _narrowed_all(outcomes, _usual(outcomes, at_first), math.log(odds))


def _narrowed_all(outcomes: Sequence[bool], usual: float, least: float) -> list[Stretch]:
    failures = [place for place, failed in enumerate(outcomes) if failed]
    found = _stretches(failures, 0.3, usual, least)
    return sorted(_narrowed(failures, one, usual) for one in found)


def _usual(outcomes: Sequence[bool], found: Sequence[Stretch]) -> float:
    """The share of failures outside of what was found."""
    outside = [
        failed for place, failed in enumerate(outcomes) if not any(one.first <= place <= one.last for one in found)
    ]
    share = sum(outside) / len(outside) if outside else 1.0
    return min(max(share, 0.001), 0.1)


def _narrowed(failures: Sequence[int], found: Stretch, usual: float) -> Stretch:
    """The best stretch within ``found`` at the share of failures that it has."""
    inside = [place for place in failures if found.first <= place <= found.last]
    depth = len(inside) / (found.last - found.first + 1)
    best = _best(inside, min(max(depth, 0.3), 0.99), usual)
    assert best is not None
    return best[1]


def _stretches(failures: Sequence[int], depth: float, usual: float, least: float) -> list[Stretch]:
    """The best stretch, then those of what is left and right of it, as long as they have the evidence."""
    best = _best(failures, depth, usual)
    if best is None or best[0] < least:
        return []
    found = best[1]
    left, right = [n for n in failures if n < found.first], [n for n in failures if n > found.last]
    return [found, *_stretches(left, depth, usual, least), *_stretches(right, depth, usual, least)]


def _best(failures: Sequence[int], depth: float, usual: float) -> tuple[float, Stretch] | None:
    """Of all stretches between two failures the one with the most evidence: the shortest, then the first of several.

    The evidence is the log of how much likelier the outcomes are at a share ``depth`` of failures than at ``usual``.
    """
    if not failures:
        return None
    places = np.asarray(failures)
    first, last = np.triu_indices(len(places))
    failed = last - first + 1
    answered = places[last] - places[first] + 1 - failed
    evidence = failed * math.log(depth / usual) + answered * math.log((1 - depth) / (1 - usual))
    most = np.flatnonzero(evidence == evidence.max())
    shortest = min(most, key=lambda n: (failed[n] + answered[n], first[n]))
    return float(evidence[shortest]), Stretch(int(places[first[shortest]]), int(places[last[shortest]]))


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
