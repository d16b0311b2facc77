"""A destination's hidden health, drawn from what its attempts leave possible.

A destination is up, or down at one of some depths (the share of attempts that fail); it goes down and comes back at
unknown rates, and within an outage its depth may change. Neither state nor rates are observed: both are drawn, together
with which messages fail for their own fault, each given the others (Gibbs sampling; the states of a whole history at
once, by filtering forward and sampling backward). Each draw is a chain of its own, so draws are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from qsops.whatif.chain import Rates, sample
from qsops.whatif.columns import Array
from qsops.whatif.evidence import Evidence

__all__ = ["DEPTHS", "Health", "draw_health"]

#: The share of attempts that fail in an outage: what it may be, and how likely each is before anything was seen.
DEPTHS: Final = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96, 0.985, 0.9995])
_DEPTH_WEIGHTS: Final = np.array([0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.07, 0.07, 0.07, 0.44])
_SWEEPS: Final = 8
#: While up, this share fails: a draw of Beta(0.5, 50) before anything was seen, at most what the lightest outage has.
_USUAL: Final = (0.5, 50.0)
_USUAL_MOST: Final = 0.12
#: One in some two hundred messages is at fault itself, before anything was seen.
_FAULTY: Final = (0.5, 100.0)
_OUTAGE_MS: Final = 900_000.0
#: How often the depth changes within an outage, beside how often it ends.
_DEEPENS: Final = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """``draws`` histories of a destination, each as possible as the others.

    Between the points ``time_ms[p]`` and ``time_ms[p + 1]`` draw ``d`` goes over from ``state[d, p]`` to
    ``state[d, p + 1]`` at ``turn_ms[d, p]``; 0 is up, ``n`` is down by ``DEPTHS[n - 1]``. ``usual`` is the share that
    fails while up. ``faulty[d, s]``: whether the message ``suspects[s]`` fails for its own fault.
    """

    time_ms: Array
    state: Array
    turn_ms: Array
    usual: Array
    suspects: Array
    faulty: Array

    def states(self, draw: Array, at_ms: Array) -> Array:
        """The state in each draw at each time; before the record as at its beginning."""
        left = np.clip(np.searchsorted(self.time_ms, at_ms, side="right") - 1, 0, len(self.time_ms) - 2)
        over = at_ms >= self.turn_ms[draw, left]
        found: Array = self.state[draw, left + over]
        return found

    def failing(self, draw: Array, at_ms: Array) -> Array:
        """The share of attempts that fail in each draw at each time."""
        state = self.states(draw, at_ms)
        return np.where(state > 0, DEPTHS[np.maximum(state, 1) - 1], self.usual[draw])


def draw_health(evidence: Evidence, draws: int, generator: np.random.Generator) -> Health:
    """``draws`` histories that ``evidence`` leaves possible."""
    now = _beginning(evidence, draws, generator)
    state = np.zeros((draws, len(evidence.time_ms)), dtype=np.int8)
    # Where nothing ever failed there is nothing to ask but how rarely anything does.
    for _ in range(_SWEEPS if evidence.troubled else 1):
        state = _states(evidence, now, generator) if evidence.troubled else state
        now = _unknowns(evidence, state, now, generator)
    share = generator.random((draws, len(evidence.time_ms) - 1))
    turn_ms = evidence.time_ms[:-1] + share * np.diff(evidence.time_ms)
    return Health(evidence.time_ms, state, turn_ms, now.usual, evidence.suspects, now.faulty)


class _Unknowns(NamedTuple):
    """Per draw: the rates, the share that fails while up, and whose fault it was."""

    rates: Rates
    usual: Array
    faulty: Array


def _beginning(evidence: Evidence, draws: int, generator: np.random.Generator) -> _Unknowns:
    down = generator.gamma(1.0, 1.0 / evidence.range_ms, draws)
    up = generator.gamma(2.0, 0.5 / _OUTAGE_MS, draws)
    usual = np.minimum(generator.beta(*_USUAL, draws), _USUAL_MOST)
    faulty = evidence.guilty | (generator.random((draws, len(evidence.suspects))) < 0.2)
    return _Unknowns(Rates(down, up, _DEEPENS * up), usual, faulty)


def _states(evidence: Evidence, now: _Unknowns, generator: np.random.Generator) -> Array:
    draws, size = len(now.usual), len(evidence.time_ms)
    # A failure that is the message's own says nothing about the destination.
    bad = np.broadcast_to(evidence.bad, (draws, size)).copy()
    draw, nth = np.nonzero(~now.faulty[:, evidence.by])
    np.add.at(bad, (draw, evidence.at[nth]), 1)
    shares = np.empty((draws, 1 + len(DEPTHS)))
    shares[:, 0], shares[:, 1:] = np.maximum(now.usual, 1e-6), DEPTHS
    return sample(evidence.time_ms, evidence.good, bad, shares, now.rates, _DEPTH_WEIGHTS, generator)


def _unknowns(evidence: Evidence, state: Array, now: _Unknowns, generator: np.random.Generator) -> _Unknowns:
    draws = len(state)
    rates = _rates(evidence, state, generator)
    failing = np.where(state > 0, DEPTHS[np.maximum(state, 1) - 1], now.usual[:, None])
    guilt = _guilt(evidence, failing)
    innocent = (~now.faulty).sum(axis=1) + evidence.clean
    prior = generator.beta(_FAULTY[0] + now.faulty.sum(axis=1), _FAULTY[1] + innocent)[:, None]
    with np.errstate(divide="ignore", over="ignore"):
        odds = prior / (1 - prior) * np.exp(np.minimum(guilt, 700))
    faulty = evidence.guilty | (generator.random((draws, len(evidence.suspects))) < odds / (1 + odds))
    up = state == 0
    draw, _ = np.nonzero(~faulty[:, evidence.by] & up[:, evidence.at])
    failures = (up * evidence.bad).sum(axis=1) + np.bincount(draw, minlength=draws)
    successes = (up * evidence.good).sum(axis=1)
    usual = np.minimum(generator.beta(_USUAL[0] + failures, _USUAL[1] + successes), _USUAL_MOST)
    return _Unknowns(rates, usual, faulty)


def _guilt(evidence: Evidence, failing: Array) -> Array:
    """Per draw and suspect how much likelier its failures are as its own fault: the logarithm of the ratio."""
    found = np.zeros((len(evidence.suspects), len(failing)))
    np.add.at(found, evidence.by, -np.log(np.maximum(failing[:, evidence.at], 1e-9)).T)
    return found.T


def _rates(evidence: Evidence, state: Array, generator: np.random.Generator) -> Rates:
    """Rates given the states, of the record alone: what was drawn beyond it tells nothing."""
    seen = evidence.last + 1
    up, gaps = state[:, :seen] == 0, np.diff(evidence.time_ms[:seen])
    up_ms, down_ms = (up[:, :-1] * gaps).sum(axis=1), (~up[:, :-1] * gaps).sum(axis=1)
    fell = (up[:, :-1] & ~up[:, 1:]).sum(axis=1)
    rose = (~up[:, :-1] & up[:, 1:]).sum(axis=1)
    down = generator.gamma(1.0 + fell) / (evidence.range_ms + up_ms)
    back = generator.gamma(2.0 + rose) / (2 * _OUTAGE_MS + down_ms)
    return Rates(down, back, _DEEPENS * back)
