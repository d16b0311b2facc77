import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.service.killing import EFFECTS, Town


@pytest.mark.parametrize(("mode", "seed"), [("direct", 1), ("outbox-first", 2)])
def test_every_effect_is_there_once_whatever_is_killed(tmp_path: Path, mode: str, seed: int):
    """The service is killed three times under load and faults: received, published and processed are the same events.

    The senders count what they were answered 200, the engine what it delivered, a table without a key the effects.
    """
    with closing(sqlite3.connect(tmp_path / "service.db")) as connection:
        connection.execute(EFFECTS)
    with Town(tmp_path, mode=mode, seed=seed) as town:
        received = town.storm(posts=50, kills=3)
        count = town.count(received)
    assert town.kills == 3
    assert len(received) == 200
    assert count.adds_up, count
