"""A round of snapshots: an engine under load, held again and again, and a copy of its files seen to its end."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.engine.durability.disk import Disk
from tests.engine.durability.image import take
from tests.engine.durability.scene import scene

__all__ = ["Round", "play"]

#: Two snapshots are at most so many acceptances apart.
_APART: Final = 40
#: A folder in memory, where there is one: a copy needs no disk of its own, and its every commit waits for that.
_MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Round:
    """``pending`` counts over all copies the messages that were seen to their ends."""

    images: int
    accepted: int
    pending: int


async def play(folder: Path, seed: int, lanes: Sequence[str], snapshots: int, disk: Disk | None = None) -> Round:
    """Hold the engine ``snapshots`` times; on a ``disk`` that mirrors its syncs, a power cut is tried with each.

    :raises AssertionError: naming seed and snapshot, when a copy does not hold what had been answered.
    """
    images = pending = 0
    async with scene(folder, seed, lanes, disk.environment if disk else None) as played:
        for number in range(snapshots):
            await played.a_moment(_APART)
            with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else folder) as copies:
                for image in take(played, Path(copies), disk.synced if disk else None):
                    images += 1
                    with played.paused():
                        try:
                            pending += await image.check()
                        except AssertionError as error:
                            raise AssertionError(f"seed {seed}, snapshot {number}, {image.kind}: {error}") from error
        await played.kill()
    return Round(images, len(played.publisher.ledger.accepted), pending)
