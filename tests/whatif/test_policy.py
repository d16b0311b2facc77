from typing import Any

import pytest

from qsops.errors import SettingsError
from qsops.whatif import Policy


def test_a_policy_waits_as_its_expression_says():
    """The waits are those of QStash: the expression's, or the default curve where there is none."""
    assert Policy(3, "1000 * pow(2, retried)").waits_ms == (1_000, 2_000, 4_000)
    assert Policy(3).waits_ms == (12_000, 148_000, 1_808_000)
    assert Policy(0).waits_ms == ()


def test_a_policy_is_told_in_a_line():
    """What is printed names all that differs from the default."""
    policy = Policy(1, "500", honour_retry_after=False, timeout_s=2.5, rate=3, period_s=60, parallelism=4)
    told = "1 retry, 500, Retry-After not honoured, timeout 2.5 s, rate 3 in 60 s, parallelism 4"
    assert str(policy) == told
    assert policy.gated
    assert not Policy().gated


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"retries": -1}, "retries: -1 is no whole number from 0 to 100"),
        ({"retries": 101}, "retries: 101"),
        ({"retries": True}, "retries: True"),
        ({"retry_delay": "1000 *"}, "retry_delay: a retry delay expression needs"),
        ({"retry_delay": "now()"}, "retry_delay: a retry delay expression does not know 'now'"),
        ({"rate": -5}, "rate: -5 is no whole number at least 1"),
        ({"rate": 0}, "rate: 0"),
        ({"parallelism": 0}, "parallelism: 0"),
        ({"rate": 1, "period_s": 0}, "period_s: 0"),
        ({"timeout_s": 0}, "timeout: 0 s is not over 0"),
        ({"timeout_s": -3.0}, "timeout: -3 s"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(given: dict[str, Any], told: str):
    """One line names the value, and what it may be."""
    with pytest.raises(SettingsError) as refused:
        Policy(**given)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
