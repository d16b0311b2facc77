"""Before and after: what changed with a deploy, or between two ranges, and whether that may be chance."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qsops.analysis import source
from qsops.analysis.billing import unix_ms
from qsops.analysis.intervals import design_effect, ends, newcombe, quantiles, weights, wilson
from qsops.analysis.stretches import Stretches, stretches

if TYPE_CHECKING:
    from qsops.analysis.source import Rows

__all__ = ["KEYS_LIMIT", "compare", "created", "differences", "split_at"]

Array = npt.NDArray[Any]
Side = tuple[float, float, float]

#: In percent: the measure, its hits, and what they are counted of.
_SHARES: Final = (("first_try_pct", "first_try", "tried"), ("delivered_pct", "delivered", "finished"))
_QUANTILES: Final = {"time_to_deliver_p50_s": 0.5, "time_to_deliver_p90_s": 0.9, "time_to_deliver_p99_s": 0.99}
#: Of these more is better; of the others less.
_MORE_IS_BETTER: Final = frozenset(name for name, _, _ in _SHARES)
#: A quantile has an interval where at least so many messages lie beyond it, a bootstrap where it has so many stretches.
_LEAST: Final = 10
#: How many values of a key are compared: each has its own bootstrap.
KEYS_LIMIT: Final = 100
_NOTHING: Final = (np.nan, np.nan, np.nan)


def compare(before: Rows, after: Rows, by: str | None = None, *, seed: int = 0) -> pd.DataFrame:
    """What differs between the messages ``before`` and those ``after``, with 95 % intervals; per value of ``by``.

    A row a measure: ``first_try_pct`` (share of messages whose first attempt was delivered, of those whose first
    attempt has ended), ``delivered_pct`` (of the finished ones), ``attempts_per_message`` (of the finished ones), and
    ``time_to_deliver_p50_s``, ``…p90_s``, ``…p99_s`` (of the delivered ones, to three digits). Columns ``measure,
    before, before_low, before_high, after, after_low, after_high, difference, low, high, verdict, before_messages,
    after_messages``: ``low`` and ``high`` are the interval of the ``difference``, and the ``verdict`` is better or
    worse where it leaves out 0, else unclear; with too few messages for an interval it says so. A value of ``by`` that
    is only in one of the two has no row, nor one beyond the :data:`KEYS_LIMIT` with the most messages.

    Each range is cut into 40 stretches of time, since messages that are near in time share their fate. Shares have
    Wilson's interval, differences Newcombe's, both with an effective number of messages (Rao and Scott); the others a
    bootstrap of stretches, seeded.

    Limits: what hit one range alone, such as an outage elsewhere, is told as if the deploy had done it; of twenty
    measures that did not change one is called better or worse; a stretch is shorter than a long outage. Messages that
    are still on their way are left out, so give both ranges the time to finish, or look at ``first_try_pct`` alone.

    :raises ValueError: the messages have no column ``by``.
    """
    keys = [] if by is None else [by]
    rng = np.random.default_rng(seed)
    first, second = stretches(before, by), stretches(after, by)
    size = {key: first[key].messages + second[key].messages for key in first.keys() & second.keys()}
    largest = sorted(size, key=lambda key: (-size[key], str(key)))[:KEYS_LIMIT]
    rows = [
        ({} if by is None else {by: key}) | row
        for key in sorted(largest, key=str)
        for row in differences(first[key], second[key], rng)
    ]
    return pd.DataFrame(rows, columns=[*keys, *_COLUMNS])


def created(messages: Rows, since: datetime | None = None, until: datetime | None = None) -> Any:
    """The messages that were created from ``since`` on and before ``until``; those of unknown creation are in none."""
    table = source.of(messages, "created_ms")
    table = table.filter(table.created_ms.notnull())
    if since is not None:
        table = table.filter(table.created_ms >= unix_ms(since))
    return table if until is None else table.filter(table.created_ms < unix_ms(until))


def split_at(messages: Rows, at: datetime) -> tuple[Any, Any]:
    """The messages that were created before ``at``, such as a deploy, and those created then or later."""
    return created(messages, until=at), created(messages, since=at)


_COLUMNS: Final = [
    *("measure", "before", "before_low", "before_high", "after", "after_low", "after_high"),
    *("difference", "low", "high", "verdict", "before_messages", "after_messages"),
]


def differences(before: Stretches, after: Stretches, rng: np.random.Generator) -> list[dict[str, Any]]:
    """The rows of :func:`compare` for one pair of ranges."""
    rows = []
    for measure, hits, of in _SHARES:
        p, q = _share(before, hits, of), _share(after, hits, of)
        rows.append(_row(measure, p, q, newcombe(p, q), scale=100, digits=2))
    samples = [(one, weights(len(one.counts["messages"]), rng)) for one in (before, after)]
    (p, p_draws), (q, q_draws) = (_mean(one, drawn) for one, drawn in samples)
    rows.append(_row("attempts_per_message", p, q, ends(q_draws - p_draws), scale=1, digits=3))
    (first, first_draws), (second, second_draws) = (_times(one, drawn) for one, drawn in samples)
    for at, measure in enumerate(_QUANTILES):
        apart = ends(second_draws[:, at] - first_draws[:, at])
        rows.append(_row(measure, first[at], second[at], apart, scale=1 / 1000, digits=3))
    return [row | {"before_messages": before.messages, "after_messages": after.messages} for row in rows]


def _share(side: Stretches, hits: str, of: str) -> Side:
    some, whole = side.counts[hits], side.counts[of]
    if not whole.sum():
        return _NOTHING
    share, effective = some.sum() / whole.sum(), whole.sum() / design_effect(some, whole)
    return (float(share), *wilson(share * effective, effective))


def _mean(side: Stretches, drawn: Array) -> tuple[Side, Array]:
    attempts, counted = side.counts["attempts"], side.counts["counted"]
    if not counted.sum():
        return _NOTHING, np.full(len(drawn), np.nan)
    with np.errstate(invalid="ignore"):
        draws = (drawn @ attempts) / (drawn @ counted)
    if len(counted) < _LEAST:
        draws[:] = np.nan
    return (float(attempts.sum() / counted.sum()), *ends(draws)), draws


def _times(side: Stretches, drawn: Array) -> tuple[list[Side], Array]:
    shares = np.array(list(_QUANTILES.values()))
    if not side.times.size:
        return [_NOTHING] * len(shares), np.full((len(drawn), len(shares)), np.nan)
    (exact,) = quantiles(side.values_ms, side.times.sum(axis=0), shares)
    draws = quantiles(side.values_ms, drawn @ side.times, shares)
    few = side.times.sum() * (1 - shares) < _LEAST
    draws[:, few | (len(side.times) < _LEAST)] = np.nan
    return [(float(one), *ends(draws[:, at])) for at, one in enumerate(exact)], draws


def _row(
    measure: str, before: Side, after: Side, apart: tuple[float, float], *, scale: float, digits: int
) -> dict[str, Any]:
    numbers = (*before, *after, after[0] - before[0], *apart)
    low, high = apart
    if measure not in _MORE_IS_BETTER:
        low, high = -high, -low
    verdict = "too few" if np.isnan(low) else "better" if low > 0 else "worse" if high < 0 else "unclear"
    return {
        "measure": measure,
        **dict(zip(_COLUMNS[1:10], (round(number * scale, digits) for number in numbers), strict=True)),
        "verdict": verdict,
    }
