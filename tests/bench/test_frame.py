from statistics import median

import pytest

from bench.__main__ import table
from bench.frame import Contender, Peer, PeerMissing, Result, Row, run_row


class Told(Contender):
    """A contender whose figures are given."""

    def measure(self, extra: object) -> float:
        figure = FIGURES[self.name].pop(0)
        if figure is None:
            raise PeerMissing(f"{self.name} cannot be installed")
        return figure


FIGURES: dict[str, list[float | None]] = {}


def row(goal: float | None = 2, limit: float | None = None) -> Row:
    ours, theirs = Told("ours", "-", ()), Told("theirs", "-", ())
    return Row("work", "messages/s", ours, (Peer(theirs, goal),), rounds=3, limit=limit)


def test_the_ratio_is_taken_round_by_round():
    """A machine that drifts slows both: the median of the ratios stands, not the ratio of the medians."""
    FIGURES.update(ours=[10, 40, 300], theirs=[5, 10, 100])
    (result,) = run_row(row())
    assert result.ratios == (2, 4, 3)
    assert (median(result.ratios), result.ours, result.theirs, result.verdict()) == (3, 40, 10, "met")


def test_a_missed_goal_is_said():
    """A ratio below the goal is missed, whatever the best round was."""
    FIGURES.update(ours=[10, 10, 50], theirs=[10, 10, 10])
    assert run_row(row())[0].verdict() == "missed"


def test_a_missing_peer_is_skipped_with_its_reason():
    """What cannot be had is reported as skipped, and ours is measured all the same."""
    FIGURES.update(ours=[10, 20, 30], theirs=[None])
    (result,) = run_row(row())
    assert (result.skipped, result.verdict(), result.ours) == ("theirs cannot be installed", "skipped", 20)


@pytest.mark.parametrize(("figure", "verdict"), [(149.0, "met"), (151.0, "missed")])
def test_a_limit_is_for_ours_alone(figure: float, verdict: str):
    """Where less is better, ours is held to its limit."""
    assert Result(row(limit=150), Peer(Told("theirs", "-", ())), figure, 10, (1,)).verdict() == verdict


def test_the_table_has_a_line_for_each_peer():
    """Every comparison is shown, the skipped ones too."""
    FIGURES.update(ours=[10, 20, 30], theirs=[None])
    assert table(run_row(row())).row_count == 1


def test_a_contender_that_fails_is_missing_with_its_last_line():
    """A peer that cannot run says why, and takes nobody down with it."""
    with pytest.raises(PeerMissing, match="No module named"):
        Contender("peer", "bench.no_such_module", ()).measure([])
