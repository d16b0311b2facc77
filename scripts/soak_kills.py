"""Hold the engine at a thousand moments under load, and see a copy of its files from each to its end.

``python -m scripts.soak_kills [--count 1000] [--seed 1]`` from the root of the project. One snapshot is two images: the
files as a kill -9 would leave them, and as a power cut would, by their last syncs.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Final

from qsops.clock import SystemClock
from tests.engine.durability.disk import Disk, compiled
from tests.engine.durability.publisher import LANES, QUEUES
from tests.engine.durability.round import Round, play

#: A round's database grows with it, and each image is read as a whole.
_A_ROUND: Final = 25
_ROUND_BOUND_S: Final = 300


async def soak(count: int, seed: int, library: Path) -> list[Round]:
    """Rounds of publishing and of queues in turn, each with an engine, a database and a seed of its own."""
    rounds = []
    for number, first in enumerate(range(0, count, _A_ROUND)):
        lanes = QUEUES if number % 3 == 2 else LANES
        with tempfile.TemporaryDirectory() as folder:
            disk = Disk(library, Path(folder) / "engine.db")
            async with asyncio.timeout(_ROUND_BOUND_S):
                rounds.append(await play(Path(folder), seed + number, lanes, min(_A_ROUND, count - first), disk))
        print(f"{min(count, first + _A_ROUND)} of {count} snapshots", flush=True)
    return rounds


def main() -> None:
    """Run as many snapshots as asked for, and print one line that sums them up."""
    parser = argparse.ArgumentParser(description="Kill the engine in a thousand ways; example: --count 1000 --seed 1")
    parser.add_argument("--count", type=int, default=1_000, help="how many snapshots")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each next one adds 1")
    arguments = parser.parse_args()
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    with tempfile.TemporaryDirectory() as folder:
        rounds = asyncio.run(soak(arguments.count, arguments.seed, compiled(Path(folder))))
    images, accepted, pending = (sum(getattr(one, name) for one in rounds) for name in Round.__slots__)
    print(
        f"kills: {images} images of {arguments.count} moments in {len(rounds)} rounds, {accepted} messages accepted, "
        f"{pending} pending ones seen to their ends, nothing lost "
        f"(seed {arguments.seed}, {clock.monotonic_s() - begun_s:.0f} s)"
    )


if __name__ == "__main__":
    main()
