"""Long walks, each a function of its seed: from ``QSOPS_TESTS_SEED`` on as many as ``QSOPS_TESTS_SOAK`` says."""

import os

import pytest

from tests.engine.simulation.families import FAMILIES
from tests.engine.simulation.machine import SOAK
from tests.engine.simulation.walk import KINDS, walk

FIRST = int(os.environ.get("QSOPS_TESTS_SEED", "0"))
STEPS = 80


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_walk_breaks_no_rule(family: str, kind: str):
    """However long it goes on; a failure names its seed, and the programme as it may be pinned."""
    for seed in range(FIRST, FIRST + SOAK):
        books = walk(seed, family, kind, STEPS)
        assert len(books.messages) > 0
