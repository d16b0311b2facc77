import pytest

from qsops.engine.plans import PLANS as ENGINE_PLANS
from qsops.errors import SettingsError
from qsops.plans import DAY_MS, PLANS, plan_named, retention_ms


def test_prices_are_the_documented_ones():
    """A dollar for 100,000 messages as you go, 180 and 420 a month for a million and ten million a day."""
    assert [plan.usd(3_000_000, 30) for plan in PLANS.values()] == [0, 30, 180, 420]
    assert [plan.messages_per_day for plan in PLANS.values()] == [1_000, None, 1_000_000, 10_000_000]
    assert PLANS["fixed_1m"].usd(0, 15) == 90


@pytest.mark.parametrize(("name", "engine_name"), [("free", "free"), ("payg", "payg"), ("fixed_1m", "pro")])
def test_the_engine_holds_to_the_same_plans(name: str, engine_name: str):
    """What a plan remembers and lets through is one fact, wherever it is asked for."""
    plan, engine = PLANS[name], ENGINE_PLANS[engine_name]
    assert (plan.messages_per_day, plan.dlq_retention_ms) == (engine.messages_per_day, engine.dlq_retention_ms)
    assert retention_ms(plan) == engine.log_retention_ms
    assert plan_named(engine_name) is plan


def test_a_plan_goes_by_the_names_that_its_vendor_uses():
    """The management API says paid and qstash_fixed_10m, the pricing page Fixed 1M; the case does not matter."""
    names = ("paid", "qstash_fixed_10m", "Fixed 1M", "fixed-1m", "FREE")
    assert [plan_named(name).name for name in names] == ["payg", "fixed_10m", "fixed_1m", "fixed_1m", "free"]


def test_a_plan_that_is_not_known_is_named():
    """The error says what was asked for, and what there is."""
    with pytest.raises(SettingsError, match="'platinum'; name one of free, payg, fixed_1m, fixed_10m"):
        plan_named("platinum")


def test_what_no_source_tells_is_not_guessed():
    """Of the fixed plans nobody says how long logs are kept: the shortest of the paid ones is what one may rely on."""
    assert PLANS["fixed_10m"].log_retention_ms is None
    assert retention_ms(PLANS["fixed_10m"]) == 14 * DAY_MS
