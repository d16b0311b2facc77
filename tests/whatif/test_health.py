from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from qsops.clock import EPOCH_MS
from qsops.whatif import Histories, Policy, whatif
from tests.whatif.world import Run, Trouble, World, poisson, run

PUBLISHED = Policy(3, "30000 * pow(2, retried)", timeout_s=15)
TROUBLE = Trouble(1_200_000, 2_100_000, depth=0.8)


def world(count: int, **more: object) -> World:
    arrivals = poisson(np.random.default_rng(5), count, 3_600_000)
    return replace(World(2, arrivals, (TROUBLE,)), **more)  # type: ignore[arg-type]


def widths(past: Run) -> tuple[pd.Series, dict[str, float]]:
    """The outage as it is believed, and how wide the intervals of its edges are, in seconds."""
    (outage,) = whatif(past.attempts, past.messages, PUBLISHED, published=PUBLISHED, draws=100).outages.to_dict(
        "records"
    )
    spans = {
        edge: (outage[f"{edge}_high"] - outage[f"{edge}_low"]).total_seconds() for edge in ("began_at", "ended_at")
    }
    return outage, spans


def at(offset_ms: int) -> pd.Timestamp:
    return pd.Timestamp(EPOCH_MS + offset_ms, unit="ms", tz="UTC")


def test_an_outage_is_believed_where_it_was():
    """Its edges lie in their intervals, and its depth is near the true one."""
    outage, _ = widths(run(world(250), PUBLISHED))
    assert outage["began_at_low"] <= at(TROUBLE.from_ms) <= outage["began_at_high"]
    assert outage["ended_at_low"] <= at(TROUBLE.to_ms) <= outage["ended_at_high"]
    assert outage["depth_pct"] == pytest.approx(80, abs=12)
    assert outage["certainty_pct"] == 100


def test_an_outage_that_few_attempts_saw_is_less_certain():
    """With a tenth of the attempts its edges are known far worse, and what a policy comes to with them."""
    many, few = run(world(400), PUBLISHED), run(world(40), PUBLISHED)
    _, sharp = widths(many)
    _, blurred = widths(few)
    assert blurred["began_at"] > 3 * sharp["began_at"]
    assert blurred["ended_at"] > 3 * sharp["ended_at"]
    policy = Policy(2, "240000", timeout_s=15)
    spread = []
    for past in (many, few):
        summary = whatif(past.attempts, past.messages, policy, published=PUBLISHED, draws=100).summary
        delivered = summary.set_index("quantity").loc["delivered_pct"]
        spread.append(delivered["high"] - delivered["low"])
    assert spread[1] > 2 * spread[0]


def test_a_message_that_always_fails_is_told_from_an_outage():
    """Failures of one message among others' successes are its own, and make no outage."""
    past = run(world(300, troubles=(), poison=frozenset({40, 150, 151})), PUBLISHED)
    histories = Histories.of(past.attempts, past.messages, draws=100)
    health = histories.destinations[0].health
    assert health.faulty.mean() > 0.9
    assert whatif(past.attempts, past.messages, PUBLISHED, draws=60).outages.empty


def test_a_destination_without_failures_is_up():
    """Where nothing failed nothing is drawn, and a shorter policy costs no message."""
    past = run(world(100, troubles=()), PUBLISHED)
    histories = Histories.of(past.attempts, past.messages, draws=50)
    assert not histories.destinations[0].health.state.any()
    assert (histories.under(Policy(0))["delivered_pct"] == 100).all()


def test_destinations_are_replayed_each_by_itself():
    """A figure of all is made of those of each, which stand in the frame of destinations."""
    one, other = run(world(120), PUBLISHED), run(world(80, troubles=(), seed=9), PUBLISHED)
    second = [
        frame.assign(url="https://other.example", message_id="x" + frame["message_id"])
        for frame in (other.attempts, other.messages)
    ]
    attempts = pd.concat([one.attempts, second[0]], ignore_index=True)
    messages = pd.concat([one.messages, second[1]], ignore_index=True)
    result = whatif(attempts, messages, Policy(4, "60000", timeout_s=15), draws=60)
    by_url = result.destinations.set_index("url")
    assert by_url["messages"].to_dict() == {"https://hidden.example/hook": 120, "https://other.example": 80}
    whole = result.summary.set_index("quantity").loc["attempts", "recorded"]
    assert by_url["attempts_recorded"].sum() == whole
    assert by_url.loc["https://other.example", "attempts_high"] == 80
