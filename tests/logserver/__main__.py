"""The service as a process of its own, for logs of millions: ``python -m tests.logserver --help``.

It prints its port, and then answers each line of its standard input with one line: ``advance MS`` moves its clock,
``counts`` tells what it did, ``shown FILE`` writes which rows it showed, as a mask. It ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

import numpy as np

from qsops.clock import SystemClock
from tests.logserver.face import Face, Settings
from tests.logserver.faults import Faults
from tests.logserver.log import written
from tests.logserver.server import serve


def parser() -> argparse.ArgumentParser:
    """What log it is, and how it behaves."""
    made = argparse.ArgumentParser(prog="python -m tests.logserver")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--messages", type=int, default=10_000)
    made.add_argument("--days", type=int, default=1)
    made.add_argument("--begins-ms", type=int)
    made.add_argument("--now-ms", type=int, help="where the log's clock stands; default at its last entry")
    made.add_argument("--latest-ms", type=int, default=600_000, help="how late an entry may be")
    made.add_argument("--requests-per-s", type=int)
    made.add_argument("--page", type=int)
    for share in ("late", "twins", "junk", "refused", "lost", "cut", "slow"):
        made.add_argument(f"--{share}", type=float, default=0.0)
    made.add_argument("--bodies", action="store_true")
    return made


async def main(arguments: Sequence[str]) -> None:
    """Serve until standard input is closed."""
    asked = parser().parse_args(arguments)
    log = written(
        asked.seed,
        asked.messages,
        days=asked.days,
        begins_ms=asked.begins_ms,
        late=asked.late,
        latest_ms=asked.latest_ms,
        twins=asked.twins,
        junk=asked.junk,
    )
    faults = Faults(asked.seed, asked.refused, asked.lost, asked.cut, asked.slow)
    clock = [int(log.time_ms.max()) if asked.now_ms is None else asked.now_ms]
    settings = Settings(page=asked.page, requests_per_s=asked.requests_per_s, bodies=asked.bodies, faults=faults)
    face = Face(log, settings, lambda: clock[0], SystemClock().now_ms)
    runner = await serve(face)
    _say(str(runner.addresses[0][1]))
    while line := await asyncio.to_thread(sys.stdin.readline):
        _say(_answer(face, clock, line.split()))
    await runner.cleanup()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _answer(face: Face, clock: list[int], words: list[str]) -> str:
    match words:
        case ["advance", ms]:
            clock[0] += int(ms)
            return str(clock[0])
        case ["counts"]:
            return json.dumps({**face.counts, "violations": face.burst.violations})
        case ["shown", file]:
            np.save(file, face.shown)
            return file
        case _:
            return "advance MS | counts | shown FILE"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
