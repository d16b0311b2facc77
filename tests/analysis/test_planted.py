"""What analyses find in a log whose truth is known."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from bench.planted import Lives, Plan, live, log_table, plan
from bench.planted.plan import CAUSES, Outage
from qsops import analysis, fold, frames

#: In so many failures an outage can be told from chance.
ENOUGH = 10


class Planted(NamedTuple):
    plan: Plan
    lives: Lives
    folded: fold.Folded


@pytest.fixture(scope="module", params=[1, 2, 3])
def planted(request: pytest.FixtureRequest) -> Planted:
    made = plan(request.param, 40_000, days=3, destinations=6)
    lives = live(made)
    return Planted(made, lives, fold.fold(frames.of_table(log_table(made, lives), frames.LOGS)))


def failures_of(planted: Planted, outage: Outage) -> int:
    lives = planted.lives
    within = (lives.started_ms >= outage.from_ms) & (lives.started_ms < outage.to_ms)
    return int((within & (lives.destination[lives.message] == outage.destination) & (lives.cause >= 0)).sum())


def overlaps(found: pd.DataFrame, outage: Outage) -> pd.Series:
    began, ended = pd.Timestamp(outage.from_ms, unit="ms", tz="UTC"), pd.Timestamp(outage.to_ms, unit="ms", tz="UTC")
    here = found["url"].str.contains(f"consumer-{outage.destination:02}.", regex=False)
    # An attempt that began within may hang for ten seconds more.
    return here & (found["began_at"] < ended) & (found["ended_at"] > began)


def test_outages_are_found_and_no_others(planted: Planted):
    """Each that hit enough attempts is found, near its ends; and nothing is found where none was planted."""
    found = analysis.outages(planted.folded.attempts)
    true = pd.Series(False, index=found.index)
    hit = [outage for outage in planted.plan.outages if failures_of(planted, outage) >= ENOUGH]
    missed = []
    for outage in planted.plan.outages:
        mine = overlaps(found, outage)
        true |= mine
        if outage in hit and not mine.any():
            missed.append(outage)
    told = f"precision {true.sum()}/{len(found)}, recall {len(hit) - len(missed)}/{len(hit)}"
    assert missed == [], told
    assert true.all(), told


def test_an_outage_tells_whom_it_hit(planted: Planted):
    """Its counts are those of the attempts within it, and its error the one that was planted."""
    found = analysis.outages(planted.folded.attempts)
    clear = [one for one in planted.plan.outages if one.depth == 1.0 and failures_of(planted, one) >= 50]
    for outage in clear:
        row = found[overlaps(found, outage)].iloc[0]
        assert row["failed"] == pytest.approx(failures_of(planted, outage), rel=0.1)
        assert row["response_status"] == CAUSES[outage.cause].status
        assert row["recovered"] <= row["messages"] <= row["failed"] <= row["attempts"]


def test_failure_groups_are_the_causes(planted: Planted):
    """Whatever numbers and hosts the errors hold: one group a cause, with all of its attempts."""
    found = analysis.failure_groups(planted.folded.attempts)
    lives = planted.lives
    counts = {number: int((lives.cause == number).sum()) for number in range(len(CAUSES))}
    assert sorted(found["attempts"]) == sorted(count for count in counts.values() if count)
    assert found["attempts"].is_monotonic_decreasing
    assert found["share_pct"].sum() == pytest.approx(100, abs=0.5)
    assert found["group"].is_unique


def test_duplicates_are_those_that_were_planted(planted: Planted):
    """No message more, and none less."""
    found = analysis.duplicates(planted.folded.attempts)
    assert sorted(found["message_id"]) == [f"msg_{number:012}" for number in np.flatnonzero(planted.lives.doubled)]
    assert (found["deliveries"] == 2).all()


def test_the_backlog_adds_up(planted: Planted):
    """At each moment as many are pending as were created and are not finished; at the ends there are none."""
    found = analysis.backlog(planted.folded.messages, planted.folded.attempts, "1h")
    messages = planted.folded.messages
    assert (found["pending"].iloc[0], found["pending"].iloc[-1]) == (0, 0)
    for row in found.iloc[[10, 30, 50]].itertuples():
        alive = (messages["created_at"] <= row.at) & (messages["finished_at"] > row.at)
        assert row.pending == alive.sum() == row.in_flight + row.waiting
