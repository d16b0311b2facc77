"""The planted log tells its truth: what is folded from it is what was lived."""

import numpy as np
import pandas as pd
import pytest

from bench.planted import live, log_table, plan
from bench.planted.plan import CAUSES
from qsops import fold, frames


@pytest.fixture(scope="module")
def planted():
    made = plan(seed=7, messages=4_000, days=2)
    lives = live(made)
    return made, lives, frames.of_table(log_table(made, lives), frames.LOGS)


def test_what_is_folded_is_what_was_lived(planted):
    """Each message has the attempts, the end and the times that it was given."""
    _, lives, logs = planted
    found = fold.messages(logs).sort_values("message_id").reset_index(drop=True)
    assert (found["attempts"] == lives.attempts).all()
    assert ((found["state"] == "DELIVERED") == lives.delivered).all()
    assert set(found["state"]) == {"DELIVERED", "FAILED"}
    created = pd.to_datetime(pd.Series(lives.created_ms), unit="ms", utc=True)
    assert (found["created_at"] == created).all()


def test_attempts_fail_for_their_causes(planted):
    """As many as were planted, with the status of their cause; and its text, but for the numbers in it."""
    _, lives, logs = planted
    attempts = fold.attempts(logs)
    told = attempts.loc[attempts["error"].notna(), "error"].str.replace(r"\d+", "#", regex=True)
    for number, cause in enumerate(CAUSES):
        text = cause.error if "#" not in cause.error else "".join(c if not c.isdigit() else "#" for c in cause.error)
        text = pd.Series([text]).str.replace(r"[#\d]+", "#", regex=True)[0]
        assert (told == text).sum() == (lives.cause == number).sum()


def test_an_outage_hits_those_it_was_planted_for(planted):
    """Within an outage as large a share of a destination's attempts fails as was planted, and far fewer outside."""
    made, lives, _ = planted
    to = lives.destination[lives.message]
    for outage in made.outages:
        at = lives.started_ms
        within = (to == outage.destination) & (at >= outage.from_ms) & (at < outage.to_ms)
        if within.sum() >= 50:
            assert np.mean(lives.cause[within] == outage.cause) >= outage.depth - 0.2


def test_doubles_are_delivered_twice(planted):
    """And nobody else is."""
    _, lives, logs = planted
    delivered = logs[logs["state"] == "DELIVERED"].groupby("message_id").size().sort_index()
    twice = np.flatnonzero(lives.doubled)
    assert len(twice) > 0
    assert (delivered[delivered == 2].index == [f"msg_{n:012}" for n in twice]).all()


def test_a_seed_makes_one_log():
    """The same plan gives the same rows; another seed gives others."""
    one, same, other = (log_table(made, live(made)) for made in (plan(1, 300), plan(1, 300), plan(2, 300)))
    assert one.equals(same)
    assert not one.equals(other)
