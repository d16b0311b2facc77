"""Long walks, each a function of its seed.

``QSOPS_TESTS_SIMULATION`` says how many times as much to try as in ``make test``, and ``QSOPS_TESTS_SIMULATION_SEED``
with which seed to begin.
"""

import os

import pytest

from tests.engine.simulation.families import FAMILIES
from tests.engine.simulation.machine import TIMES
from tests.engine.simulation.walk import KINDS, walk

FIRST = int(os.environ.get("QSOPS_TESTS_SIMULATION_SEED", "0"))
STEPS = 80


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_walk_breaks_no_rule(family: str, kind: str):
    """However long it goes on; a failure names its seed, and the programme as it may be pinned."""
    for seed in range(FIRST, FIRST + TIMES):
        books = walk(seed, family, kind, STEPS)
        assert len(books.messages) > 0
