"""The load on a destination that has just come back."""

from __future__ import annotations

import numpy as np

from qsops.whatif.columns import Array
from qsops.whatif.recoveries import Recoveries
from qsops.whatif.replay import Replayed

__all__ = ["peaks"]


def peaks(replayed: Replayed, recoveries: Recoveries, draws: int, width_ms: int) -> Array:
    """Per draw the most attempts within ``width_ms`` after an outage's end, counted in steps from that end.

    NaN where no outage ended.
    """
    found = np.full(draws, np.nan)
    known = np.sort(replayed.known_ms)
    order = np.lexsort((replayed.at_ms, replayed.draw))
    at_ms, begins = replayed.at_ms[order], np.searchsorted(replayed.draw[order], np.arange(draws + 1))
    for draw, from_ms, until_ms in zip(recoveries.draw, recoveries.ended_ms, recoveries.until_ms, strict=True):
        mine = at_ms[begins[draw] : begins[draw + 1]]
        counts = [
            np.bincount(((times[low:high] - from_ms) // width_ms).astype(np.int64), minlength=1)
            for times in (known, mine)
            for low, high in [np.searchsorted(times, (from_ms, until_ms))]
        ]
        whole = np.zeros(max(map(len, counts)))
        whole[: len(counts[0])] += counts[0]
        whole[: len(counts[1])] += replayed.weight * counts[1]
        found[draw] = np.fmax(found[draw], whole.max())
    return found
