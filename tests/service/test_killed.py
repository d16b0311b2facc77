from pathlib import Path

import pytest

from bench.postgres import cluster
from tests.service.killing import Town


@pytest.mark.parametrize(("mode", "seed"), [("direct", 1), ("outbox-first", 2)])
def test_every_effect_is_there_once_whatever_is_killed(tmp_path: Path, mode: str, seed: int):
    """The service is killed twice under load and faults: received, published and processed are the same events.

    The senders count what they were answered 200, the engine what it accepted, a table without a key the effects.
    """
    with Town(tmp_path, mode=mode, seed=seed) as town:
        received = town.storm(posts=30, kills=2)
        count = town.count(received)
    assert town.kills == 2
    assert len(received) == 120
    assert count.adds_up, count


def test_the_database_is_killed_as_well(tmp_path: Path):
    """PostgreSQL and the service are killed in turn, in the middle of commits, and once it is stopped for a while.

    The same events, every effect once.
    """
    with cluster() as postgres, Town(tmp_path, cluster=postgres, mode="outbox-first", seed=3) as town:
        received = town.storm(posts=30, kills=4, away_s=1)
        count = town.count(received)
    assert town.kills == 4
    assert len(received) == 120
    assert count.adds_up, count
