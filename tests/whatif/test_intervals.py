import numpy as np
import pytest

from qsops.whatif.intervals import interval


def test_an_interval_holds_nine_draws_in_ten():
    """As many lie below as above, give or take one, and draws without a value count for nothing."""
    draws = np.r_[np.arange(200.0), np.nan]
    low, middle, high = interval(np.random.default_rng(1).permutation(draws))
    assert (low, middle, high) == (10, 99, 190)
    assert np.isnan(interval(np.array([np.nan]))).all()


def test_what_most_draws_do_not_have_is_not_told():
    """A time to deliver of the one draw in which anything was delivered is none of the policy's."""
    assert interval(np.array([7.0, 7.0, np.nan, np.nan])) == (7, 7, 7)
    assert np.isnan(interval(np.array([7.0, np.nan, np.nan]))).all()


def test_an_end_that_can_be_spared_is_left_out():
    """Of counts, where many are equal, the interval holds no end without which it still holds more than nine in ten."""
    draws = np.repeat([3.0, 4.0, 5.0, 6.0], [12, 100, 82, 6])
    assert interval(draws) == (4, 4, 5)
    assert interval(np.full(50, 7.0)) == (7, 7, 7)


@pytest.mark.parametrize("mean", [2, 8, 40])
def test_counts_are_held_as_often_as_promised(mean: int):
    """Of counts the interval holds nine in ten, and hardly more: ties do not make it safe."""
    generator = np.random.default_rng(mean)
    held = 0
    for _ in range(600):
        low, _, high = interval(generator.poisson(mean, 200).astype(float))
        held += low <= generator.poisson(mean) <= high
    assert 0.86 <= held / 600 <= 0.96
