"""Kill the service, and its PostgreSQL, at seeded moments under load and faults, and count every effect once.

``python -m scripts.soak_service [--rounds 20] [--posts 400] [--kills 12] [--seed 1]`` from the root of the project. The
rounds take SQLite and PostgreSQL, and the modes ``direct`` and ``outbox-first``, in turn; with PostgreSQL every second
kill is the database's, or a stop for half a minute.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from bench.postgres import cluster
from qsops.clock import SystemClock
from tests.service.killing import Town

MODES: Final = ("direct", "outbox-first")
#: For so long a PostgreSQL is stopped.
AWAY_S: Final = 30.0


def play(number: int, *, seed: int, posts: int, kills: int) -> int:
    """One round, in a town of its own; how many events it received.

    :raises SystemExit: with the seed, when what was received, published and processed is not the same.
    """
    mode = MODES[number % 2]
    with (
        tempfile.TemporaryDirectory() as folder,
        cluster() if number // 2 % 2 else nullcontext() as postgres,
        Town(Path(folder), cluster=postgres, mode=mode, seed=seed) as town,
    ):
        received = town.storm(posts, kills, away_s=AWAY_S)
        count = town.count(received)
    if not count.adds_up:
        missing = [sorted(received - some)[:5] for some in (count.published, count.processed)]
        twice = [event for event, times in count.effects.items() if times != 1][:5]
        raise SystemExit(f"service: seed {seed}, {mode}: not published and not processed {missing}, not once {twice}")
    return len(received)


def main() -> None:
    """Run as many rounds as asked for, and print one line that sums them up."""
    parser = argparse.ArgumentParser(description="Kill the service under load; example: --rounds 20 --seed 1")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--posts", type=int, default=400, help="of each round, four events each")
    parser.add_argument("--kills", type=int, default=12, help="of each round")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each next one adds 1")
    arguments = parser.parse_args()
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    events = 0
    for number in range(arguments.rounds):
        events += play(number, seed=arguments.seed + number, posts=arguments.posts, kills=arguments.kills)
        print(f"{number + 1} of {arguments.rounds} rounds, {events} events", flush=True)
    print(
        f"service: {arguments.rounds * arguments.kills} kills in {arguments.rounds} rounds, {events} events received, "
        f"published and processed, every effect once (seed {arguments.seed}, {clock.monotonic_s() - begun_s:.0f} s)"
    )


if __name__ == "__main__":
    main()
