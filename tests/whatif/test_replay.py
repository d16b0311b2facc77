from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest

from qsops import frames
from qsops.analysis import cost
from qsops.clock import EPOCH_MS
from qsops.errors import SettingsError
from qsops.fold.portable import portable_attempts, portable_messages
from qsops.whatif import Histories, Policy, Result, published_otherwise, published_policy, whatif
from qsops.whatif.gate import replay_gated
from qsops.whatif.prefix import prefix_of
from qsops.whatif.record import past_of
from tests.whatif.incidents import truth
from tests.whatif.world import Run, Trouble, World, poisson, run

PUBLISHED = Policy(3, "30000 * pow(2, retried)", timeout_s=15)
TROUBLE = Trouble(600_000, 1_300_000, depth=0.7)


def world(seed: int = 1, count: int = 120, **more: object) -> World:
    arrivals = poisson(np.random.default_rng([3, seed]), count, 1_800_000)
    return replace(World(seed, arrivals, (TROUBLE,)), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def past() -> Run:
    return run(world(), PUBLISHED)


def asked(past: Run, policy: Policy, **more: object) -> Result:
    return whatif(past.attempts, past.messages, policy, draws=60, **more)  # type: ignore[arg-type]


def row(result: Result, quantity: str) -> pd.Series:
    return result.summary.set_index("quantity").loc[quantity]


def test_the_recorded_policy_gives_back_the_record(past: Run):
    """Replayed under its own policy the past is what it was, to the digit, and nothing about it is uncertain."""
    result = asked(past, PUBLISHED)
    came = truth(world(), past)
    for quantity in ("delivered_pct", "time_p50_s", "time_p95_s", "recovered_p95_s", "attempts"):
        found = row(result, quantity)
        assert found["recorded"] == pytest.approx(came[quantity], abs=1e-3)
        assert found["low"] == found["high"] == found["recorded"]


@pytest.mark.parametrize("plan", ["payg", "fixed_1m"])
def test_the_bill_is_that_of_the_cost(past: Run, plan: str):
    """What the record is billed, under both readings and with a plan's price a month, is what ``cost`` tells."""
    result = asked(past, replace(PUBLISHED, retries=1), plan=plan)
    for bill in cost(past.messages, past.attempts, plan=plan).to_dict("records"):
        billed, usd = row(result, f"billed_{bill['reading']}"), row(result, f"usd_{bill['reading']}")
        assert billed["recorded"] == bill["billed"]
        assert usd["recorded"] == pytest.approx(bill["usd"], abs=0.006)
    first_two = past.attempts[past.attempts["attempt"] <= 2]
    assert row(result, "billed_attempts")["median"] == len(first_two)
    assert row(result, "billed_messages")["median"] == len(past.messages)


def test_fewer_retries_are_read_from_the_record(past: Run):
    """What a policy of fewer retries would have come to, the record says itself: its first attempts."""
    found = row(asked(past, replace(PUBLISHED, retries=1)), "attempts")
    first_two = past.attempts[past.attempts["attempt"] <= 2]
    assert found["low"] == found["high"] == len(first_two)


def test_the_same_seed_gives_the_same_figures(past: Run):
    """A result can be made again, and another seed draws other histories."""
    policy = Policy(5, "60000", timeout_s=15)
    first, again, other = (asked(past, policy, seed=seed).summary for seed in (7, 7, 8))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_tables_of_the_archive_give_the_same_figures(past: Run):
    """Ibis tables are taken like the frames that they hold."""
    attempts = ibis.memtable(portable_attempts(_arrow(past.attempts, frames.ATTEMPTS)))
    messages = ibis.memtable(portable_messages(_arrow(past.messages, frames.MESSAGES)))
    policy = Policy(4, "60000", timeout_s=15)
    of_tables = whatif(attempts, messages, policy, draws=60)
    pd.testing.assert_frame_equal(of_tables.summary, asked(past, policy).summary)


def _arrow(frame: pd.DataFrame, schema: object) -> object:
    import pyarrow as pa

    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def test_a_shorter_timeout_cuts_slow_answers_off():
    """An answer that took longer than the timeout is a failure of that length, and is tried again."""
    slow = world(troubles=(Trouble(600_000, 1_300_000, depth=0.0, slower=30.0),), latency_ms=200.0)
    past = run(slow, PUBLISHED)
    policy = replace(PUBLISHED, timeout_s=2)
    told, came = row(asked(past, policy), "attempts"), truth(slow, run(slow, policy))["attempts"]
    assert told["recorded"] < 130
    assert told["low"] > 200
    assert told["low"] - 10 <= came <= told["high"] + 10


def test_a_longer_timeout_is_said_to_be_beyond_the_record():
    """Whether an attempt that was cut off would have been answered later, the record cannot tell."""
    past = run(world(troubles=(replace(TROUBLE, answer=0),)), PUBLISHED)
    assert any("timeouts end after 15 s" in note for note in asked(past, Policy(3, "30000", timeout_s=60)).notes)
    assert asked(past, Policy(3, "30000", timeout_s=10)).notes == ()


def test_a_message_that_is_at_fault_fails_under_every_policy():
    """Whom the destination refuses for its own fault is not delivered by more retries."""
    past = run(world(troubles=(), poison=frozenset({3, 50}), poison_answer=422), PUBLISHED)
    found = row(asked(past, Policy(8, "5000", timeout_s=15)), "delivered_pct")
    assert found["low"] == found["high"] == pytest.approx(100 * 118 / 120, abs=1e-3)


def test_waits_that_were_asked_for_are_honoured_or_not():
    """With Retry-After the destination sets the pace, also after the last attempt of the record; without, we do."""
    asking = world(troubles=(replace(TROUBLE, depth=1.0, asks_s=200),))
    published = Policy(2, "20000", timeout_s=15)
    past = run(asking, published)
    policy = Policy(5, "20000", timeout_s=15)
    for honour, really in ((True, asking), (False, replace(asking, troubles=(replace(TROUBLE, depth=1.0),)))):
        policy = replace(policy, honour_retry_after=honour)
        told = asked(past, policy, published=published)
        came = truth(really, run(really, policy))
        assert row(told, "attempts")["low"] - 3 <= came["attempts"] <= row(told, "attempts")["high"] + 3


def test_the_policy_of_a_log_is_read_from_it(past: Run):
    """Most messages' retries and expression; an empty log tells none."""
    assert published_policy(past.logs) == replace(PUBLISHED, timeout_s=None)
    assert published_policy(ibis.memtable(_arrow(past.logs, frames.LOGS))) == published_policy(past.logs)
    assert published_policy(past.logs.iloc[:0]) is None


def test_messages_of_another_policy_are_counted(past: Run):
    """Those of other retries and those of other waits; those that do not say are not."""
    logs = past.logs.copy()
    created = logs.index[logs["state"] == "CREATED"]
    assert published_otherwise(logs, PUBLISHED) == 0
    logs.loc[created[:2], "max_retries"] = 5
    logs.loc[created[2:5], "retry_delay_expression"] = None
    logs.loc[created[5:6], "max_retries"] = None
    assert published_otherwise(logs, PUBLISHED) == 5


@pytest.mark.parametrize(
    "limits", [{"rate": 10, "period_s": 120}, {"rate": 3, "period_s": 7}], ids=["slow", "short periods"]
)
def test_flow_control_lets_pass_as_the_engine_does(limits: dict[str, int]):
    """Under a rate each attempt starts when the engine starts it: first come, first served, by windows."""
    burst = tuple(sorted({*world().arrivals_ms, *range(300_000, 330_000, 400)}))
    calm = world(troubles=(replace(TROUBLE, depth=1.0),), arrivals_ms=burst, latency_ms=20.0)
    policy = Policy(2, "45000", timeout_s=15, **limits)
    past, came = run(calm, PUBLISHED), run(calm, policy)
    histories = Histories.of(past.attempts, past.messages, published=PUBLISHED, draws=20)
    (here,) = histories.destinations
    # Nothing failed while it was up, so nothing is made up to.
    here = replace(here, health=replace(here.health, usual=np.zeros(20)))
    found = replay_gated(here, policy, 20, np.random.default_rng(1))
    real_ms = np.sort(_began_ms(came))
    before = real_ms < TROUBLE.from_ms
    for draw in range(20):
        mine = np.sort(found.at_ms[found.draw == draw] - EPOCH_MS)
        np.testing.assert_allclose(mine[: before.sum()], real_ms[before], atol=1)
    counts = np.bincount(found.draw)
    assert counts.min() - 6 <= len(real_ms) <= counts.max() + 6


def _began_ms(past: Run) -> np.ndarray:
    return past.attempts["started_at"].astype("datetime64[ms, UTC]").astype("int64").to_numpy() - EPOCH_MS


def test_parallelism_holds_attempts_up():
    """With one call at a time no two attempts of a draw overlap."""
    past = run(world(latency_ms=4_000.0), PUBLISHED)
    policy = Policy(3, "30000", timeout_s=15, parallelism=1)
    histories = Histories.of(past.attempts, past.messages, draws=5)
    told = histories.under(policy)
    alone = histories.under(replace(policy, parallelism=None))
    assert told["time_p95_s"].min() > alone["time_p95_s"].max()


def test_what_has_no_beginning_or_no_end_is_left_out(past: Run):
    """A message whose first or last attempt lies outside of the range is not replayed, and that is said."""
    middle = past.attempts.iloc[3:-3]
    result = whatif(middle, past.messages, Policy(), draws=20)
    assert result.messages < len(past.messages)
    assert any("messages are left out" in note for note in result.notes)


def test_of_many_open_messages_a_part_stands_for_all(past: Run, monkeypatch: pytest.MonkeyPatch):
    """What is held has a bound, the smaller the more retries there are; shares and attempts are still those of all."""
    policies = {retries: Policy(retries, "100000", timeout_s=15) for retries in (8, 24)}
    whole = {retries: asked(past, policy) for retries, policy in policies.items()}
    open_now = len(prefix_of(past_of(past.attempts, past.messages).records[0], policies[8]).open)
    monkeypatch.setattr("qsops.whatif.replay.OPEN_LIMIT", 60 * open_now)
    assert asked(past, policies[8]).notes == ()
    part = asked(past, policies[24])
    (note,) = part.notes
    assert note == "of https://hidden.example/hook an even part of the messages is replayed, and counts for all"
    for quantity, within in (("attempts", 0.15), ("delivered_pct", 0.05)):
        assert row(part, quantity)["median"] == pytest.approx(row(whole[24], quantity)["median"], rel=within)


def test_nothing_to_replay_is_one_line(past: Run):
    """A range without attempts, too many draws, and an unknown plan are refused, each in one line."""
    with pytest.raises(SettingsError, match="no finished attempt in that range"):
        whatif(past.attempts.iloc[:0], past.messages, Policy())
    with pytest.raises(SettingsError, match="no message in that range has both"):
        whatif(past.attempts[past.attempts["attempt"] > 1], past.messages, Policy())
    with pytest.raises(SettingsError, match="draws: 0 is not from 1 to 1000"):
        whatif(past.attempts, past.messages, Policy(), draws=0)
    with pytest.raises(SettingsError, match="plan: there is none named 'gold'"):
        whatif(past.attempts, past.messages, Policy(), plan="gold")
