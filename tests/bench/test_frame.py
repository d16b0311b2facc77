from statistics import median

import pytest

from bench.__main__ import notes, table
from bench.frame import Contender, Measure, Peer, PeerMissing, Result, Row, run_row


class Told(Contender):
    """A contender whose figures are given."""

    def measure(self, extra: object) -> Measure:
        figure = FIGURES[self.name].pop(0)
        if figure is None:
            raise PeerMissing(f"{self.name} cannot be installed")
        return Measure(figure, "synchronous=2 (FULL)" if self.name == "ours" else "")


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


@pytest.mark.parametrize(("figure", "verdict"), [(3_000.0, "met"), (2_999.0, "missed")])
def test_a_floor_is_for_ours_alone(figure: float, verdict: str):
    """An absolute rate is held whatever the peer does, and without a peer."""
    asked = Row("work", "messages/s", Told("ours", "-", ()), floor=3_000)
    assert Result(asked, None, figure).verdict() == verdict
    assert Result(asked, Peer(Told("theirs", "-", ())), figure, 10, (1,)).verdict() == verdict


def test_a_row_without_peers_is_measured():
    """What nobody else does has its line, too."""
    FIGURES.update(ours=[10, 20, 30])
    (result,) = run_row(Row("work", "MB", Told("ours", "-", ()), rounds=3, limit=20))
    assert (result.peer, result.ours, result.verdict()) == (None, 20, "met")
    assert table([result]).row_count == 1


def test_ours_that_fails_is_no_met_goal():
    """Without a figure of ours the row has failed, with the reason, and is not run again."""
    FIGURES.update(ours=[None], theirs=[5, 5, 5])
    (result,) = run_row(row(limit=150))
    assert (result.verdict(), result.failed) == ("failed", "ours cannot be installed")


def test_a_preparation_that_fails_ends_its_row_alone():
    """What cannot be prepared fails its own row, and the others go on."""

    def prepare():
        raise PeerMissing("the backlog cannot be built")

    (result,) = run_row(Row("work", "MB", Told("ours", "-", ()), prepare=prepare))
    assert (result.verdict(), result.failed) == ("failed", "the backlog cannot be built")


def test_a_note_is_printed_once():
    """What a contender says is one line under the table, that of its median round."""
    FIGURES.update(ours=[10, 20, 30], theirs=[5, 5, 5])
    assert notes(run_row(row())) == ["work · ours: synchronous=2 (FULL)"]


def test_the_table_has_a_line_for_each_peer():
    """Every comparison is shown, the skipped ones too."""
    FIGURES.update(ours=[10, 20, 30], theirs=[None])
    assert table(run_row(row())).row_count == 1


def test_a_contender_that_fails_is_missing_with_its_last_line():
    """A peer that cannot run says why, and takes nobody down with it."""
    with pytest.raises(PeerMissing, match="No module named"):
        Contender("peer", "bench.no_such_module", ()).measure([])
