"""What analyses find in a log whose truth is known."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from bench.planted import Lives, Plan, live, log_table, plan
from bench.planted.plan import CAUSES
from bench.planted.score import failures_of, overlaps, score
from qsops import analysis, fold, frames


class Planted(NamedTuple):
    plan: Plan
    lives: Lives
    folded: fold.Folded
    tables: fold.Tables


@pytest.fixture(scope="module", params=[1, 2, 3])
def planted(request: pytest.FixtureRequest) -> Planted:
    made = plan(request.param, 40_000, days=3, destinations=6)
    lives = live(made)
    tables = fold.tables(log_table(made, lives))
    frame_of = {"attempts": frames.ATTEMPTS, "messages": frames.MESSAGES}
    folded = fold.Folded(*(frames.of_table(getattr(tables, name), schema) for name, schema in frame_of.items()))
    return Planted(made, lives, folded, tables)


def test_what_was_planted_is_found_and_nothing_else(planted: Planted, record_property: Callable[[str, object], None]):
    """Outages that hit enough attempts, the causes of failures, doubles and expired messages: all, and no other."""
    for one in score(planted.plan, planted.lives, planted.tables):
        record_property(one.kind, str(one))
        print(one)  # noqa: T201
        assert (one.precision, one.recall) == (1.0, 1.0), str(one)
        assert one.told > 0


def test_an_outage_tells_whom_it_hit(planted: Planted):
    """Its counts are those of the attempts within it, and its error the one that was planted."""
    found = analysis.outages(planted.folded.attempts)
    clear = [one for one in planted.plan.outages if one.depth == 1.0 and failures_of(planted.lives, one) >= 50]
    for outage in clear:
        row = found[overlaps(found, outage)].iloc[0]
        assert row["failed"] == pytest.approx(failures_of(planted.lives, outage), rel=0.1)
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


def test_the_backlog_adds_up(planted: Planted):
    """At each moment as many are pending as were created and are not finished; at the ends there are none."""
    found = analysis.backlog(planted.folded.messages, planted.folded.attempts, "1h")
    messages = planted.folded.messages
    assert (found["pending"].iloc[0], found["pending"].iloc[-1]) == (0, 0)
    for row in found.iloc[[10, 30, 50]].itertuples():
        alive = (messages["created_at"] <= row.at) & (messages["finished_at"] > row.at)
        assert row.pending == alive.sum() == row.in_flight + row.waiting
