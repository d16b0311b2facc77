from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from qsops.errors import SettingsError
from qsops.whatif import Policy, suggest
from qsops.whatif.suggest import space
from tests.whatif.world import Run, Trouble, World, poisson, run

PUBLISHED = Policy(3, "15000", timeout_s=15)


@pytest.fixture(scope="module")
def past() -> Run:
    arrivals = poisson(np.random.default_rng(8), 150, 2_400_000)
    return run(World(4, arrivals, (Trouble(600_000, 1_500_000, depth=1.0),)), PUBLISHED)


def test_the_suggestion_delivers_as_much_at_the_least_load(past: Run):
    """It surely delivers what was delivered, and of those that do none has a lower peak."""
    found = suggest(past.attempts, past.messages, like=PUBLISHED, draws=40)
    assert found.policy is not None
    (chosen,) = found.frame[found.frame["suggested"]].to_dict("records")
    assert chosen["retries"] == found.policy.retries
    assert pd.isna(chosen["retry_delay"]) if found.policy.retry_delay is None else chosen["retry_delay"]
    assert chosen["as_much_pct"] >= 90
    assert found.policy.timeout_s == PUBLISHED.timeout_s
    good = found.frame[found.frame["as_much_pct"] >= 90]
    assert round(chosen["peak_per_minute"]) == round(good["peak_per_minute"]).min()


def test_the_front_is_of_those_that_none_beats(past: Run):
    """For each policy off the Pareto front there is one that is at least as good in all, and better in something."""
    frame = suggest(past.attempts, past.messages, draws=30).frame
    told = frame.assign(lost=-frame["delivered_pct"], peak=frame["peak_per_minute"].round())
    costs = told[["lost", "attempts", "peak"]].to_numpy()
    for row, pareto in zip(costs, frame["pareto"], strict=True):
        beaten = ((costs <= row).all(axis=1) & (costs < row).any(axis=1)).any()
        assert beaten != pareto


def test_nothing_as_sure_beats_the_suggestion(past: Run):
    """Of the policies that surely deliver as much, none is as good as the suggested one in all and better in one."""
    frame = suggest(past.attempts, past.messages, draws=30).frame
    told = frame.assign(lost=-frame["delivered_pct"], peak=frame["peak_per_minute"].round())
    costs = told.loc[frame["as_much_pct"] >= 90, ["lost", "attempts", "peak"]].to_numpy()
    chosen = told.loc[frame["suggested"], ["lost", "attempts", "peak"]].to_numpy()
    assert len(chosen) == 1
    assert not ((costs <= chosen).all(axis=1) & (costs < chosen).any(axis=1)).any()


def test_more_is_suggested_where_more_is_asked(past: Run):
    """A share that only longer waits reach leads to them; one that nothing reaches leads to no suggestion."""
    more = suggest(past.attempts, past.messages, delivered_pct=99.0, draws=40)
    assert more.policy is not None
    assert sum(more.policy.waits_ms) > 900_000 * 0.8
    hurried = suggest(past.attempts, past.messages, delivered_pct=99.0, within_s=1.0, draws=40)
    assert hurried.policy is None
    assert not hurried.frame["suggested"].any()


def test_a_suggestion_says_what_it_rests_on(past: Run):
    """Messages that could not be replayed, and that there was nothing to choose by, are told beside the policy."""
    assert suggest(past.attempts, past.messages, draws=5).notes == ()
    (told,) = suggest(past.attempts.iloc[3:-3], past.messages, draws=5).notes
    assert "messages are left out" in told
    calm = past.messages[past.messages["attempts"] == 1]
    (told,) = suggest(past.attempts[past.attempts["message_id"].isin(calm["message_id"])], calm, draws=5).notes
    assert "no attempt of the record failed" in told
    lost = past.messages[past.messages["state"] == "FAILED"]
    (told,) = suggest(past.attempts[past.attempts["message_id"].isin(lost["message_id"])], lost, draws=5).notes
    assert "no message was delivered" in told


def test_the_space_is_bounded():
    """What is tried is documented and has an end; no policy beyond what the plan lets retry."""
    assert len(space(Policy())) == 50
    assert max(one.retries for one in space(Policy(), most_retries=3)) == 3
    assert all(one.rate == 5 for one in space(replace(Policy(), rate=5)))


def test_a_search_that_cannot_be_is_refused(past: Run):
    """No policies, too many, and a share that is none: one line each."""
    with pytest.raises(SettingsError, match="most_retries: 0 leaves nothing to try"):
        suggest(past.attempts, past.messages, most_retries=0)
    with pytest.raises(SettingsError, match="policies: 0 are not from 1 to 500"):
        suggest(past.attempts, past.messages, policies=[])
    with pytest.raises(SettingsError, match="delivered_pct: 120 is not from 0 to 100"):
        suggest(past.attempts, past.messages, delivered_pct=120)
