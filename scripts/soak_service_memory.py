"""Deliver a million distinct messages to one worker of the service, and see that its memory stays where it was.

``python -m scripts.soak_service_memory [--count 1000000]`` from the root of the project. SQLite in a file,
``synchronous=FULL``, signatures checked, the log line and the metrics on; each message is claimed and stored, and its
row is counted in the end. Exit status 1 when memory grew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.engine.loader import load
from bench.engine.process import memory_mb
from bench.service.delivery import CONNECTIONS, all_ok, deliveries
from bench.service.served import Served, served
from qsops.clock import SystemClock
from service.publishing import CONSUMER_PATH

#: Made, signed and sent at a time: a signature is good for five minutes.
CHUNK: Final = 20_000
#: From here on nothing may grow any more: caches are full, and the write-ahead log has been brought home many times.
WARM: Final = 100_000
#: What the last sample may lie above the one at WARM.
GROWTH_MB: Final = 8.0
#: The samples that the summary names.
NAMED: Final = (100_000, 500_000, 1_000_000)


def soak(server: Served, count: int) -> dict[int, float]:
    """The server's resident memory in MB of 10⁶ bytes, by the deliveries that it had answered by then."""
    samples: dict[int, float] = {}
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        all_ok(load(server.port, CONNECTIONS, deliveries(server.port, first, size)), size)
        samples[first + size] = memory_mb(server.process.pid)[0]
        if (first + size) % (5 * CHUNK) == 0:
            print(f"{first + size} deliveries: {samples[first + size]:.1f} MB", flush=True)
    server.expect("claims", count)
    server.expect("events", count, "state = 'processed' and deliveries = 1")
    server.expect_lines("delivery", count)
    return samples


def main() -> int:
    """Run, print one line that sums up, and say whether memory stayed flat."""
    parser = argparse.ArgumentParser(description="Watch the service's memory; example: --count 1000000")
    parser.add_argument("--count", type=int, default=1_000_000, help=f"deliveries, a multiple of {CHUNK} above {WARM}")
    count = parser.parse_args().count
    if count <= WARM or count % CHUNK:
        parser.error(f"--count {count} is no multiple of {CHUNK} above {WARM}")
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    with tempfile.TemporaryDirectory() as folder, served("ours", CONSUMER_PATH, Path(folder)) as server:
        samples = soak(server, count)
    growth_mb = samples[count] - samples[WARM]
    flat = growth_mb <= GROWTH_MB
    named = ", ".join(f"{samples[at]:.1f} MB after {at:,}" for at in NAMED if at in samples)
    print(
        f"service memory: {named}; {growth_mb:+.1f} MB since {WARM:,}, {count:,} deliveries stored once each "
        f"({clock.monotonic_s() - begun_s:.0f} s): {'flat' if flat else 'it grows'}"
    )
    return int(not flat)


if __name__ == "__main__":
    sys.exit(main())
