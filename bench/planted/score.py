"""How much of what was planted is found, and how much that was not: ``python -m bench.planted.score [SEED ...]``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from bench.planted.lives import Lives, live
from bench.planted.plan import CAUSES, Outage, Plan, plan
from bench.planted.rows import log_table
from qsops import analysis, fold
from qsops.fold.fingerprints import fingerprint, without_ids

__all__ = ["Score", "score"]

#: In so many failures an outage can be told from chance.
ENOUGH: Final = 10


@dataclass(frozen=True, slots=True)
class Score:
    """Of one kind: so many were planted, so many of these found; so many were told, so many of these true."""

    kind: str
    planted: int
    found: int
    told: int
    true: int

    @property
    def recall(self) -> float:
        return self.found / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        return self.true / self.told if self.told else 1.0

    def __str__(self) -> str:
        return (
            f"{self.kind}: precision {self.precision:.3f} ({self.true}/{self.told}), "
            f"recall {self.recall:.3f} ({self.found}/{self.planted})"
        )


def score(made: Plan, lives: Lives, tables: fold.Tables) -> list[Score]:
    """Outages, failure groups, duplicates, and messages that expired: whose retries were used up."""
    expired = tables.messages.to_pandas().query("state == 'FAILED'")["message_id"]
    return [
        _outages(made, lives, analysis.outages(tables.attempts)),
        _groups(lives, analysis.failure_groups(tables.attempts)),
        _ids("duplicates", np.flatnonzero(lives.doubled), analysis.duplicates(tables.attempts)["message_id"]),
        _ids("expired messages", np.flatnonzero(~lives.delivered), expired),
    ]


def failures_of(lives: Lives, outage: Outage) -> int:
    """The attempts that failed in an outage."""
    within = (lives.started_ms >= outage.from_ms) & (lives.started_ms < outage.to_ms)
    return int((within & (lives.destination[lives.message] == outage.destination) & (lives.cause >= 0)).sum())


def overlaps(found: pd.DataFrame, outage: Outage) -> pd.Series:
    """Which of the found ones are of this one; an attempt that began within may hang for ten seconds more."""
    began, ended = pd.Timestamp(outage.from_ms, unit="ms", tz="UTC"), pd.Timestamp(outage.to_ms, unit="ms", tz="UTC")
    here = found["url"].str.contains(f"consumer-{outage.destination:02}.", regex=False)
    return here & (found["began_at"] < ended) & (found["ended_at"] > began)


def _outages(made: Plan, lives: Lives, told: pd.DataFrame) -> Score:
    true = pd.Series(False, index=told.index)
    planted = found = 0
    for outage in made.outages:
        mine = overlaps(told, outage)
        true |= mine
        if failures_of(lives, outage) >= ENOUGH:
            planted, found = planted + 1, found + int(mine.any())
    return Score("outages", planted, found, len(told), int(true.sum()))


def _groups(lives: Lives, told: pd.DataFrame) -> Score:
    """A group is true that has the fingerprint of a cause, and exactly its attempts."""
    texts = without_ids(pd.Series([one.error.replace("#", "7") for one in CAUSES]))
    counts = np.bincount(lives.cause[lives.cause >= 0], minlength=len(CAUSES))
    planted = {
        fingerprint(one.status, text): int(count)
        for one, text, count in zip(CAUSES, texts, counts, strict=True)
        if count
    }
    true = sum(planted.get(row.group) == row.attempts for row in told.itertuples())
    return Score("failure groups", len(planted), true, len(told), true)


def _ids(kind: str, planted: np.ndarray, told: pd.Series) -> Score:
    truth = {f"msg_{number:012}" for number in planted}
    true = len(truth & set(told))
    return Score(kind, len(truth), true, len(told), true)


def main(seeds: list[int]) -> None:
    """Print the scores of each seed."""
    for seed in seeds:
        made = plan(seed, 200_000, destinations=20)
        lives = live(made)
        for one in score(made, lives, fold.tables(log_table(made, lives))):
            print(f"seed {seed}, {one}")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [1, 2, 3])
