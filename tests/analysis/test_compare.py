import numpy as np
import pandas as pd
import pytest

from qsops import frames
from qsops.analysis.compare import KEYS_LIMIT, compare, differences, split_at
from qsops.analysis.intervals import design_effect, newcombe, quantiles, wilson
from qsops.analysis.stretches import Stretches
from qsops.clock import EPOCH_MS, utc

DAY_MS = 86_400_000


def messages(
    seed: int, count: int, *, failing: float = 0.1, slow: float = 1.0, from_ms: int = EPOCH_MS
) -> pd.DataFrame:
    """Messages of a day, of which the share ``failing`` needs a second attempt, 12 s later."""
    rng = np.random.default_rng(seed)
    created = np.sort(from_ms + rng.integers(0, DAY_MS, count))
    again = rng.random(count) < failing
    took = (rng.lognormal(5, 0.5, count) * slow).astype(np.int64) + again * 12_000
    frame = pd.DataFrame(
        {
            "message_id": [f"msg_{seed}_{number}" for number in range(count)],
            "url": "https://a.example",
            "created_at": pd.to_datetime(created, unit="ms", utc=True),
            "finished_at": pd.to_datetime(created + took, unit="ms", utc=True),
            "state": "DELIVERED",
            "attempts": 1 + again,
            "time_to_deliver_ms": took,
        }
    )
    return frames.cast(frame.reindex(columns=frames.MESSAGES.names), frames.MESSAGES)


def by_measure(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index("measure")


def test_a_worse_release_is_told_from_a_better_one():
    """More first attempts that fail, and slower answers: worse, in every measure they touch; backwards it is better."""
    before, after = messages(1, 3_000), messages(2, 3_000, failing=0.2, slow=1.5)
    worse, better = by_measure(compare(before, after)), by_measure(compare(after, before))
    told = ["first_try_pct", "attempts_per_message", "time_to_deliver_p50_s"]
    assert worse.loc[told, "verdict"].tolist() == ["worse"] * 3
    assert better.loc[told, "verdict"].tolist() == ["better"] * 3
    assert worse.loc["delivered_pct", "verdict"] == "unclear"
    assert worse.loc["first_try_pct", "before"] == pytest.approx(90, abs=2)
    assert worse.loc["first_try_pct", ["low", "high"]].between(-13, -7).all()


def test_the_numbers_are_those_of_the_messages():
    """Shares, means and quantiles agree with pandas, times to three digits."""
    before, after = messages(3, 2_000), messages(4, 1_000, failing=0.05)
    found = by_measure(compare(before, after))
    for column, frame in (("before", before), ("after", after)):
        took_s = frame["time_to_deliver_ms"].astype("float64") / 1000
        assert found.loc["first_try_pct", column] == round(100 * (frame["attempts"] == 1).mean(), 2)
        assert found.loc["attempts_per_message", column] == round(frame["attempts"].mean(), 3)
        for share in (50, 90, 99):
            exact = took_s.quantile(share / 100, interpolation="higher")
            assert found.loc[f"time_to_deliver_p{share}_s", column] == pytest.approx(exact, rel=0.01)
    assert found["before_messages"].eq(2_000).all()
    assert found["after_messages"].eq(1_000).all()


def counted(rng: np.random.Generator, each: int) -> Stretches:
    """Forty stretches of time with ``each`` messages, whose shares vary around the same mean."""
    fails = rng.beta(2, 18, 40)
    first_try = rng.binomial(each, 1 - fails).astype(float)
    whole = np.full(40, float(each))
    names = ("messages", "tried", "finished", "delivered", "counted")
    counts = {**dict.fromkeys(names, whole), "first_try": first_try, "attempts": 2 * whole - first_try}
    return Stretches(counts, np.arange(100, 160), rng.multinomial(each, np.full(60, 1 / 60), 40).astype(float))


def test_a_first_try_counts_once_it_has_ended():
    """A message whose first attempt is under way, or not known, is none of those that the share is taken of."""
    ended = [("DELIVERED", 1), ("FAILED", 1), ("ERROR", 1), ("RETRY", 1), ("ACTIVE", 2)]
    open_ = [("ACTIVE", 1), ("CREATED", 0), ("DELIVERED", None), ("SOMETHING_NEW", 1)]
    states, attempts = zip(*ended, *open_, strict=True)
    some = messages(3, len(states)).assign(state=[*states], attempts=pd.array([*attempts], "Int64"))
    found = by_measure(compare(some, some))
    assert found.loc["first_try_pct", ["before", "before_messages"]].tolist() == [20, 9]
    assert found.loc["delivered_pct", "before"] == pytest.approx(66.67)


def test_nothing_changed_is_rarely_called_a_change():
    """At 95 % about one in twenty comparisons of what is equal says better or worse, although stretches differ."""
    rng = np.random.default_rng(8)
    rows = [row for _ in range(80) for row in differences(counted(rng, 50), counted(rng, 50), rng)]
    told = (
        pd.DataFrame(rows).groupby("measure")["verdict"].agg(lambda verdicts: verdicts.isin(["better", "worse"]).mean())
    )
    assert told[["first_try_pct", "attempts_per_message"]].between(0.01, 0.1).all(), told.to_dict()
    # Times are few values here, so that quantiles are often equal: they are called a change less often.
    assert told.max() < 0.1


def test_messages_that_fail_together_are_little_evidence():
    """An outage of an hour fails many first attempts at once: the interval is wider than if they were independent."""
    before, after = messages(5, 4_000, failing=0), messages(6, 4_000, failing=0)
    hit = after["created_at"].between(utc(EPOCH_MS), utc(EPOCH_MS + 3_600_000))
    after = after.assign(attempts=after["attempts"].where(~hit, 2))
    alone = by_measure(compare(before, after)).loc["first_try_pct"]
    assert alone["difference"] < -3
    scattered = after.assign(created_at=np.random.default_rng(1).permutation(after["created_at"]))
    spread = by_measure(compare(before, scattered)).loc["first_try_pct"]
    assert alone["high"] - alone["low"] > 3 * (spread["high"] - spread["low"])
    assert spread["verdict"] == "worse"


def test_too_few_messages_give_no_verdict():
    """A 99th percentile of a hundred messages is one message: no interval, and the verdict says why."""
    found = by_measure(compare(messages(7, 100), messages(8, 100, slow=5)))
    assert found.loc["time_to_deliver_p99_s", "verdict"] == "too few"
    assert found.loc["time_to_deliver_p99_s", ["low", "high"]].isna().all()
    assert found.loc["time_to_deliver_p50_s", "verdict"] == "worse"


def test_a_deploy_parts_what_was_created_before_from_what_came_after():
    """The moment itself belongs to the time after it; by destination each has its own rows."""
    both = pd.concat([messages(9, 500), messages(10, 500, from_ms=EPOCH_MS + DAY_MS, failing=0.5)], ignore_index=True)
    before, after = split_at(both, utc(EPOCH_MS + DAY_MS))
    found = compare(before, after, by="url")
    assert found["url"].unique().tolist() == ["https://a.example"]
    assert by_measure(found).loc["first_try_pct", "verdict"] == "worse"
    assert found["before_messages"].iloc[0] == found["after_messages"].iloc[0] == 500
    elsewhere = both.assign(url=both["url"].where(both["created_at"] < utc(EPOCH_MS + DAY_MS), "https://b.example"))
    assert compare(*split_at(elsewhere, utc(EPOCH_MS + DAY_MS)), by="url").empty


def test_a_column_that_is_not_there_is_named():
    """To compare by what the messages do not have is refused with what they have."""
    with pytest.raises(ValueError, match="by='colour': the rows have no such column; they have message_id"):
        compare(messages(11, 50), messages(12, 50), by="colour")


def test_of_many_values_the_largest_are_compared():
    """Each has a bootstrap of its own, so there is a bound on them: those with the most messages are in it."""
    many = messages(14, 2 * KEYS_LIMIT)
    labels = [f"rare-{number}" for number in range(2 * KEYS_LIMIT - 20)] + ["common"] * 20
    found = compare(many.assign(label=labels), many.assign(label=labels), by="label")["label"].unique()
    assert len(found) == KEYS_LIMIT
    assert "common" in found


def test_an_empty_side_gives_no_rows():
    """There is nothing to compare with: no error, no rows, all columns."""
    some = messages(11, 50)
    assert compare(some, some.iloc[:0]).empty
    assert list(compare(some.iloc[:0], some)) == list(compare(some, some))


def test_it_is_the_same_twice():
    """The bootstrap is seeded."""
    before, after = messages(12, 300), messages(13, 300)
    pd.testing.assert_frame_equal(compare(before, after, seed=3), compare(before, after, seed=3))


def test_intervals_are_those_of_the_papers():
    """Wilson's and Newcombe's own examples: 81 of 263, and 56 of 70 against 48 of 80."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    before, after = (48 / 80, *wilson(48, 80)), (56 / 70, *wilson(56, 70))
    assert newcombe(before, after) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_what_is_alike_within_a_stretch_counts_less():
    """Ten stretches that each fail whole or not at all are ten pieces of evidence, however many messages they hold."""
    hits = np.array([0, 100] * 5)
    assert design_effect(hits, np.full(10, 100)) == pytest.approx(100 * 10 / 9)
    assert design_effect(np.array([0, 0]), np.array([5, 5])) == 1


def test_quantiles_are_of_the_counted():
    """The smallest value that the share does not exceed; nothing counted is no number."""
    found = quantiles(np.array([10, 20, 30]), np.array([[1, 2, 1], [0, 0, 0]]), np.array([0.25, 0.5, 0.9]))
    assert found[0].tolist() == [10, 20, 30]
    assert np.isnan(found[1]).all()
