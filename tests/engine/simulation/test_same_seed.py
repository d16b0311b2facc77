"""The same programme from the same seed, on two fresh databases."""

from collections.abc import Iterable

import pytest

from qsops.wire.http import Request
from tests.engine.simulation.walk import KINDS, play, programme
from tests.engine.simulation.world import Step, World

STEPS = 60


class Read:
    """Keeps the log of both accounts as it came over the wire."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    async def take(self, world: World) -> None:
        for account in (0, 1):
            response = await world.send(Request("GET", "/v2/events"), account)
            assert response.status == 200
            self.answers.append(response.body)


def answers(scripts: dict[str, str], steps: Iterable[Step], kind: str, seed: int) -> list[bytes]:
    read = Read()
    play(scripts, [*steps, read], kind=kind, seed=seed)
    return read.answers


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_log(kind: str):
    """Over crash and restart, in the middle of deliveries and of commits: every byte of the log repeats."""
    scripts, steps = programme(5, "everything", STEPS)
    first, second = (answers(scripts, steps, kind, 5) for _ in range(2))
    assert first == second
    assert all(len(body) > 1_000 for body in first)
    assert answers(scripts, steps, kind, 6) != first
