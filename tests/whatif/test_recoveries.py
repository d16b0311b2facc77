import numpy as np

from qsops.whatif.evidence import Evidence
from qsops.whatif.health import Health
from qsops.whatif.recoveries import recoveries_of

TIMES = np.arange(7) * 60_000.0


def evidence(good: int) -> Evidence:
    """One good answer at the point ``good``, and a message that failed at the points 1 to 4, for whatever reason."""
    seen = (np.arange(7) == good).astype(float)
    by, at = np.zeros(4, dtype=np.int64), np.arange(1, 5)
    nobody = np.array([False])
    return Evidence(TIMES, seen, np.zeros(7), np.array([0]), nobody, by, at, clean=1, range_ms=TIMES[-1])


def health() -> Health:
    """Two draws that are down from the point 1 to 3; the first takes the failures for the message's own."""
    state = np.tile(np.array([0, 11, 11, 11, 0, 0, 0], dtype=np.int8), (2, 1))
    return Health(
        TIMES, state, np.tile(TIMES[:-1] + 30_000, (2, 1)), np.zeros(2), np.array([0]), np.array([[True], [False]])
    )


def test_an_outage_of_one_draw_does_not_hang_on_another():
    """What ended while attempts were still made is an outage, also where another draw blames the messages."""
    found = recoveries_of(evidence(0), health())
    assert found.draw.tolist() == [1]
    assert (found.began_ms.tolist(), found.ended_ms.tolist()) == ([30_000], [210_000])
    assert found.failures.tolist() == [3]


def test_an_outage_that_was_not_seen_to_end_is_none():
    """Beyond the last attempt everything is drawn, an end of the outage as well."""
    state = health().state.copy()
    state[:, 1:6] = 11
    late = Health(TIMES, state, health().turn_ms, np.zeros(2), np.array([0]), np.array([[False], [False]]))
    assert recoveries_of(evidence(0), late).draw.tolist() == []
    assert recoveries_of(evidence(6), late).draw.tolist() == [0, 1]
