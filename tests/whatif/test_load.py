from dataclasses import replace

import numpy as np

from qsops.whatif.load import peaks
from qsops.whatif.recoveries import Recoveries
from qsops.whatif.replay import Replayed

END, STEP = 1_000_000.0, 60_000
NOTHING = np.zeros(0)


def ends(*until: float) -> Recoveries:
    """An outage that ends at ``END`` in the first draw, and is looked at until then; none in the second."""
    many = len(until)
    return Recoveries(
        np.zeros(many, dtype=np.int64), np.zeros(many), np.full(many, END), np.array(until), np.ones(many)
    )


def replayed(known_ms: list[float], drawn_ms: list[float], weight: float = 1.0) -> Replayed:
    """Attempts of all draws, and those of the first."""
    return Replayed(
        messages=1,
        known_ms=np.array(known_ms),
        known_took_ms=NOTHING,
        known_retried=NOTHING.astype(bool),
        draw=np.zeros(len(drawn_ms), dtype=np.int16),
        at_ms=np.array(drawn_ms),
        took_ms=np.zeros((2, 0)),
        retried=NOTHING.astype(bool),
        weight=weight,
    )


def test_a_peak_counts_what_comes_within_a_step_of_the_end():
    """What happened and what was drawn add up, step by step from the end; what came before the end is no load of it."""
    one = replayed([END - 1, END, END + STEP], [END + STEP - 1, END + STEP, END + 1.5 * STEP, END + 2 * STEP])
    assert peaks(one, ends(END + 10 * STEP), 2, STEP)[0] == 3
    assert peaks(one, ends(END + STEP), 2, STEP)[0] == 2


def test_a_message_that_stands_for_others_is_as_much_load():
    """Drawn attempts count for as many as they stand for, those that happened for themselves."""
    one = replayed([END, END], [END + 1])
    assert peaks(replace(one, weight=2.5), ends(END + STEP), 2, STEP)[0] == 4.5


def test_where_no_outage_ended_there_is_no_peak():
    """And it is not 0 either; where one did, and nobody came, it is."""
    found = peaks(replayed([], []), ends(END + STEP), 2, STEP)
    assert found[0] == 0
    assert np.isnan(found[1])
