"""A walk: a programme that is a function of its seed, lived through without anybody's help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tests.engine.simulation.drawing import Seeded, draw_scripts
from tests.engine.simulation.ending import Finish
from tests.engine.simulation.families import FAMILIES
from tests.engine.simulation.model import Books
from tests.engine.simulation.world import Step, World

__all__ = ["KINDS", "play", "programme", "walk"]

KINDS: Final = ("manual", "served")


def walk(seed: int, family: str, kind: str, steps: int) -> Books:
    """Live through the programme of ``seed``; returns the books.

    :raises AssertionError: when a rule is broken, naming the seed, and the programme as it may be pinned in a test.
    """
    scripts, drawn = programme(seed, family, steps)
    return play(scripts, drawn, kind=kind, quota=FAMILIES[family].quota, seed=seed)


def programme(seed: int, family: str, steps: int) -> tuple[dict[str, str], list[Step]]:
    """How destinations answer, and what happens."""
    draw, chosen = Seeded(seed), FAMILIES[family]
    scripts = draw_scripts(draw, chosen.answers)
    return scripts, [*(draw.choice(chosen.steps)(draw) for _ in range(steps)), Finish()]


def play(
    scripts: Mapping[str, str], steps: Iterable[Step], *, kind: str = "manual", quota: str = "payg", seed: int = 0
) -> Books:
    """Live through ``steps``; returns the books."""
    world = World(scripts, kind=kind, quota=quota, seed=seed)
    try:
        for step in steps:
            world.do(step)
    except BaseException as error:
        taken = ",\n    ".join(map(repr, world.programme))
        error.add_note(f"seed {seed}, {kind}, {quota}\nplay({dict(scripts)!r}, [\n    {taken},\n])")
        raise
    finally:
        world.close()
    return world.books
