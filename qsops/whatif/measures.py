"""What a replay comes to, draw by draw: shares, times, attempts, and the load on destinations that recover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from qsops.whatif.columns import Array
from qsops.whatif.load import peaks
from qsops.whatif.record import Record
from qsops.whatif.recoveries import Recoveries
from qsops.whatif.replay import Replayed

__all__ = ["QUANTITIES", "measured", "recorded"]

#: By their order in a result: what is counted, and in which unit.
QUANTITIES: Final = {
    "delivered_pct": "share of messages that are delivered, in percent",
    "time_p50_s": "time to deliver, median, in seconds",
    "time_p95_s": "time to deliver, 95th percentile, in seconds",
    "time_p99_s": "time to deliver, 99th percentile, in seconds",
    "recovered_p50_s": "the same of messages that took a retry, median",
    "recovered_p95_s": "the same of messages that took a retry, 95th percentile",
    "attempts": "attempts in all",
    "peak_per_minute": "most attempts within a minute after an outage's end",
    "peak_per_second": "most attempts within a second after an outage's end",
}
_PARTS: Final = (0.5, 0.95, 0.99)
#: More known times than these are stood in for by so many of their quantiles.
_TIMES_LIMIT: Final = 20_000


def measured(replayed: Sequence[Replayed], recoveries: Sequence[Recoveries], draws: int) -> dict[str, Array]:
    """A value per draw of each of :data:`QUANTITIES`, over all destinations together; NaN where there is none."""
    messages = sum(one.messages for one in replayed)
    known, known_weight = _known([one.known_took_ms for one in replayed])
    retried, retried_weight = _known([one.known_took_ms[one.known_retried] for one in replayed])
    found = {name: np.full(draws, np.nan) for name in QUANTITIES}
    for draw in range(draws):
        open_ms, weight = _of_draw(replayed, draw, retried_only=False)
        after_ms, after_weight = _of_draw(replayed, draw, retried_only=True)
        delivered = len(known) * known_weight + weight.sum()
        found["delivered_pct"][draw] = 100 * delivered / messages
        times = _quantiles(known, known_weight, open_ms, weight, _PARTS)
        after = _quantiles(retried, retried_weight, after_ms, after_weight, _PARTS[:2])
        for name, value in zip(("time_p50_s", "time_p95_s", "time_p99_s"), times, strict=True):
            found[name][draw] = value / 1_000
        for name, value in zip(("recovered_p50_s", "recovered_p95_s"), after, strict=True):
            found[name][draw] = value / 1_000
    found["attempts"] = sum(
        (len(one.known_ms) + one.weight * np.bincount(one.draw, minlength=draws) for one in replayed), np.zeros(draws)
    )
    for name, width_ms in (("peak_per_minute", 60_000), ("peak_per_second", 1_000)):
        each = [peaks(one, ends, draws, width_ms) for one, ends in zip(replayed, recoveries, strict=True)]
        found[name] = np.fmax.reduce(each)
    return found


def recorded(record: Record) -> Replayed:
    """What really happened to the messages that are replayed, in the form of a replay without anything drawn."""
    mine = record.counted[record.message]
    # A delivered message has its delivery for its last attempt.
    delivered = np.flatnonzero(record.counted & record.delivered)
    last = record.first[delivered + 1] - 1
    nothing = np.zeros(0)
    return Replayed(
        messages=int(record.counted.sum()),
        known_ms=record.started_ms[mine],
        known_took_ms=record.ended_ms[last] - record.created_ms[delivered],
        known_retried=last > record.first[delivered],
        draw=nothing.astype(np.int64),
        at_ms=nothing,
        took_ms=nothing.reshape(1, 0),
        retried=nothing.astype(bool),
        weight=1.0,
    )


def _known(times: Sequence[Array]) -> tuple[Array, float]:
    """Known times, sorted, and how many of them each stands for."""
    whole = np.sort(np.concatenate(times))
    if len(whole) <= _TIMES_LIMIT:
        return whole, 1.0
    middles = (np.arange(_TIMES_LIMIT) + 0.5) / _TIMES_LIMIT
    return np.quantile(whole, middles, method="inverted_cdf"), len(whole) / _TIMES_LIMIT


def _of_draw(replayed: Sequence[Replayed], draw: int, *, retried_only: bool) -> tuple[Array, Array]:
    """The times to deliver of one draw's open messages, and how many each stands for."""
    times, weights = [np.zeros(0)], [np.zeros(0)]
    for one in replayed:
        row = one.took_ms[min(draw, len(one.took_ms) - 1)]
        mine = ~np.isnan(row) & (one.retried_in(draw) if retried_only else True)
        times.append(row[mine])
        weights.append(np.full(int(mine.sum()), one.weight))
    return np.concatenate(times), np.concatenate(weights)


def _quantiles(known: Array, known_weight: float, drawn: Array, weight: Array, parts: Sequence[float]) -> Array:
    """The smallest times that at least ``parts`` of all do not exceed."""
    times = np.concatenate([known, drawn])
    if not len(times):
        return np.full(len(parts), np.nan)
    order = np.argsort(times, kind="stable")
    sums = np.cumsum(np.concatenate([np.full(len(known), known_weight), weight])[order])
    at = np.searchsorted(sums, np.array(parts) * sums[-1] * (1 - 1e-12))
    found: Array = times[order[np.minimum(at, len(times) - 1)]]
    return found
