from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from qsops import fold, frames
from qsops.analysis.cost import cost, cost_shares
from qsops.analysis.forecast import forecast
from qsops.analysis.usage import usage
from qsops.clock import EPOCH_MS, utc
from qsops.errors import SettingsError
from qsops.plans import DAY_MS, READINGS
from tests.fold.story import Story

HOUR_MS = 3_600_000


def story(number: int, at_ms: int, *failures: int) -> Story:
    attempts = tuple((at * 60_000, 10, status) for at, status in enumerate((*failures, 200)))
    return Story(f"msg_{number:04}", at_ms, attempts, "delivered")


def both(stories: list[Story]) -> fold.Folded:
    return fold.fold(frames.logs(entry for one in stories for entry in one.entries()))


#: Four days, on each of which ten messages more than on the day before; every fifth fails once.
WEEK = both(
    [
        story(100 * day + number, EPOCH_MS + day * DAY_MS + number * 60_000, *([500] if number % 5 == 0 else []))
        for day in range(4)
        for number in range(10 * (day + 1))
    ]
)
SINCE, UNTIL = utc(EPOCH_MS), utc(EPOCH_MS + 4 * DAY_MS)


def test_both_readings_of_what_a_retry_costs_are_priced():
    """By messages retries are free, by attempts each is billed; the plan's price is applied to either."""
    found = cost(WEEK.messages, WEEK.attempts, since=SINCE, until=UNTIL, plan="payg").set_index("reading")
    assert found["billed"].to_dict() == {"messages": 100, "attempts": 120}
    assert found["days"].tolist() == [4, 4]
    assert found["month_usd"].tolist() == [0.01, 0.01]
    assert found["month_billed"].tolist() == [750, 900]
    monthly = cost(WEEK.messages, WEEK.attempts, since=SINCE, until=UNTIL).set_index(["plan", "reading"])
    assert monthly.loc[("fixed_1m", "attempts"), ["usd", "month_usd"]].tolist() == [24, 180]


def test_where_nothing_was_sent_no_time_has_passed():
    """A log without a row costs nothing, since it does not tell from when on: it is not priced from 1970 to now."""
    found = cost(WEEK.messages.iloc[:0], WEEK.attempts.iloc[:0], until=UNTIL)
    assert (found[["days", "billed", "usd"]] == 0).all(axis=None)
    assert found["month_usd"].isna().all()


def test_a_message_is_billed_where_it_was_published():
    """Of one that began before the range the attempts count, and it does not; what lies outside is left out."""
    range_ = {"since": utc(EPOCH_MS + DAY_MS), "until": utc(EPOCH_MS + 2 * DAY_MS)}
    late = both([story(1, EPOCH_MS + DAY_MS - 30_000, 500), story(2, EPOCH_MS + 2 * DAY_MS, 500)])
    found = cost(late.messages, late.attempts, **range_).set_index("reading").loc[list(READINGS), "billed"]
    assert found.groupby("reading").max().to_dict() == {"messages": 0, "attempts": 1}


def test_days_over_the_quota_are_counted():
    """A plan that lets through a thousand a day would have refused messages on the days that had more."""
    many = both([story(number, EPOCH_MS + number * 1_000) for number in range(1_100)])
    found = cost(many.messages, many.attempts).drop_duplicates("plan").set_index("plan")
    assert found["days_over_quota"].astype(object).where(found["days_over_quota"].notna(), None).to_dict() == {
        "free": 1,
        "payg": None,
        "fixed_1m": 0,
        "fixed_10m": 0,
    }
    assert (found["busiest_day"] == 1_100).all()
    just = cost(many.messages.head(1_000), many.attempts.head(1_000), plan="free")
    assert just["days_over_quota"].tolist() == [0, 0]


def test_nothing_is_forecast_from_pieces_of_days():
    """Without a whole day there is no forecast; from three on there is an interval, and it holds the forecast."""
    piece = cost(WEEK.messages, WEEK.attempts, since=utc(EPOCH_MS + HOUR_MS), until=utc(EPOCH_MS + 2 * HOUR_MS))
    assert piece[["month_billed", "month_usd", "month_low_usd"]].isna().all(axis=None)
    days = np.array([900, 1_000, 1_100])
    assert forecast(days[:2], 30).low is None
    found = forecast(days, 30)
    assert found.expected == 30_000
    # By hand: Student's 2.92 at two degrees, the deviation 100, and the root of 30 + 30² / 3.
    assert found.high == pytest.approx(30_000 + 2.92 * 100 * (30 + 300) ** 0.5, rel=1e-3)
    assert found.low == pytest.approx(60_000 - found.high)


def test_what_was_forgotten_is_no_day_without_messages():
    """A range longer than the log remembers is forecast from the days that it does: the others say nothing."""
    forgotten = WEEK.messages["created_at"] < utc(EPOCH_MS + DAY_MS + HOUR_MS // 6)
    messages = WEEK.messages[~forgotten]
    attempts = WEEK.attempts[WEEK.attempts["message_id"].isin(messages["message_id"])]
    found = cost(messages, attempts, since=utc(EPOCH_MS - 10 * DAY_MS), until=UNTIL, plan="payg").set_index("reading")
    assert found.loc["messages", ["days", "billed", "month_billed"]].tolist() == [14, 80, 1050]
    assert found.loc["attempts", "month_billed"] == 1260


def test_weekdays_have_means_of_their_own():
    """Quiet weekends do not widen the interval once each weekday was seen twice, and the coming ones are counted."""
    weeks = np.tile([100, 100, 100, 100, 100, 20, 20], 3)
    found = forecast(weeks, 9)
    assert (found.expected, found.low, found.high) == (540 + 200, 740, 740)
    assert forecast(weeks[:14], 2).expected == 200
    assert forecast(weeks[:13], 2).expected == pytest.approx(2 * weeks[:13].mean())


def test_the_interval_of_the_forecast_holds_what_comes():
    """Over many months the sum of the days to come is within it in about nine of ten."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        days = rng.normal(1_000, 150, 40)
        found = forecast(days[:10], 30)
        held += found.low <= days[10:].sum() <= found.high
    assert 0.86 < held / 400 < 0.94


def test_who_causes_the_bill_is_told():
    """Each value's messages, attempts and dollars add up to the whole, with the share that retries have."""
    found = cost_shares(WEEK.messages, WEEK.attempts, "label", plan="fixed_1m", since=SINCE, until=UNTIL)
    (row,) = found.to_dict("records")
    assert (row["messages"], row["attempts"], row["retries_pct"], row["share_pct"]) == (100, 120, 20, 100)
    assert row["usd_by_messages"] == row["usd_by_attempts"] == 24
    other = WEEK.messages["message_id"] < "msg_0200"
    ids = WEEK.messages.loc[other, "message_id"]
    split = cost_shares(
        WEEK.messages.assign(label=WEEK.messages["label"].where(other)),
        WEEK.attempts.assign(label=WEEK.attempts["label"].where(WEEK.attempts["message_id"].isin(ids))),
        "label",
    )
    assert split["messages"].tolist() == [70, 30]
    assert pd.isna(split["label"].iloc[0])


def test_usage_counts_from_midnight():
    """Today is the UTC day; it is set against each plan's quota, and drawn out to the day's end."""
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    found = usage(WEEK.messages, WEEK.attempts, noon, "free").set_index("reading")
    assert found["used"].to_dict() == {"messages": 20, "attempts": 24}
    assert found["used_pct"].tolist() == [2.0, 2.4]
    assert found["expected"].tolist() == [40, 48]
    assert (found["resets_at"] == pd.Timestamp("2026-01-03", tz="UTC")).all()
    early = usage(WEEK.messages, WEEK.attempts, datetime(2026, 1, 2, 0, 30))
    assert early["expected"].isna().all()
    assert early.loc[early["plan"] == "payg", ["quota", "used_pct"]].isna().all(axis=None)


def test_nothing_costs_nothing():
    """An empty range is no error, and a plan without a price a month costs nothing."""
    empty = WEEK.messages.iloc[:0], WEEK.attempts.iloc[:0]
    assert (cost(*empty)[["billed", "usd"]] == 0).all(axis=None)
    assert cost_shares(*empty).empty
    assert (usage(*empty, SINCE)["used"] == 0).all()


def test_a_cause_that_is_no_column_is_named():
    """To share the bill by what is not there is refused with what is."""
    with pytest.raises(ValueError, match="by='colour': the rows have no such column"):
        cost_shares(WEEK.messages, WEEK.attempts, "colour")


def test_a_plan_that_is_not_known_is_refused():
    """Before anything is counted the error names it."""
    for ask in (cost, cost_shares):
        with pytest.raises(SettingsError, match="'gold'"):
            ask(WEEK.messages, WEEK.attempts, plan="gold")
