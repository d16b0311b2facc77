"""Archive a log of millions from a service with bad days, killed over and over, and hold it to what was served.

``python -m scripts.soak_archive [--messages 1000000] [--kills 40] [--seed 1]`` from the root of the project. Then two
ranges are archived anew, of which one is ten times as long, and the memory of both syncs is compared. Exit status 1
when it grew; an entry that is lost, doubled or changed is an AssertionError.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qsops.archive.delta import DeltaStore
from qsops.archive.layout import LOGS
from qsops.archive.state import load
from qsops.clock import SystemClock
from tests.archiving.keeping import assert_same_rows
from tests.logserver import TOKEN, Log, written

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
DAYS: Final = 7
LATEST_MS: Final = 300_000
SHARES: Final = {"late": 0.02, "twins": 0.001, "junk": 0.0005}
FAULTS: Final = {"refused": 0.01, "lost": 0.01, "cut": 0.01, "slow": 0.02}
REQUESTS_PER_S: Final = 500
#: What the longer sync may take beyond the shorter one.
GROWTH_MB: Final = 100.0
_BOUND_S: Final = 3_600
_SLICE_MS: Final = 2 * HOUR_MS
_COUNTING: Final = (
    "import resource, subprocess, sys; status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


@dataclass(frozen=True, slots=True)
class Service:
    """The log server in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    def ask(self, line: str) -> str:
        """Say a line, and hear one."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def serving(messages: int, seed: int, begins_ms: int, now_ms: int) -> Iterator[Service]:
    """Serve the log that :func:`written` makes of the same arguments."""
    options = {"seed": seed, "messages": messages, "days": DAYS, "begins-ms": begins_ms, "now-ms": now_ms}
    options |= {"latest-ms": LATEST_MS, "requests-per-s": REQUESTS_PER_S, **SHARES, **FAULTS}
    command = [sys.executable, "-m", "tests.logserver", *(f"--{name}={value}" for name, value in options.items())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Service(process, f"http://127.0.0.1:{int(process.stdout.readline())}")
        assert process.stdin is not None
        process.stdin.close()


def sync(service: Service, root: Path) -> subprocess.Popen[bytes]:
    """``qsops archive sync``, started."""
    command, environment = _command(service, root)
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def killed(service: Service, root: Path, kills: int, seed: int) -> int:
    """Start a sync so many times, and kill it at a random moment: how many had not ended by themselves."""
    rng, count = np.random.default_rng(seed), 0
    for number in range(kills):
        process = sync(service, root)
        try:
            process.wait(float(rng.uniform(1.5, 8)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_BOUND_S)
            count += 1
        service.ask("advance 1000")
        print(f"{number + 1} of {kills} syncs", flush=True)
    return count


def peak_mb(service: Service, root: Path, *more: str) -> float:
    """The most memory that one sync has resident, in MB of 10⁶ bytes; it has to end well."""
    command, environment = _command(service, root, *more)
    # A process begins with the peak of the one that it was forked from: a small one stands in between.
    counted = subprocess.run(
        [sys.executable, "-c", _COUNTING, *command], env=environment, capture_output=True, text=True, check=True
    )
    status, kilobytes = map(int, counted.stdout.split())
    assert status == 0, f"the sync ended with {status}: {counted.stderr}"
    return kilobytes * 1024 / 1e6


def held(root: Path) -> tuple[pa.Table, int]:
    """The entries of the archive, and up to when it covers the log."""
    store = DeltaStore(str(root), SystemClock())
    state = load(store)
    ((_, to_ms),) = state.covered
    return store.dataset(state.tables[LOGS.name]).to_table(columns=LOGS.schema.names), to_ms


def compare(log: Log, root: Path, now_ms: int) -> int:
    """Hold the archive to the log, some hours at a time: how many entries both have."""
    found, to_ms = held(root)
    served = (log.visible_ms <= now_ms) & (log.time_ms <= to_ms)
    assert found.num_rows == (served & (log.junk < 0)).sum()
    for from_ms in range(int(log.time_ms[0]), to_ms + 1, _SLICE_MS):
        part = (pc.field("time_ms") >= from_ms) & (pc.field("time_ms") < from_ms + _SLICE_MS)
        assert_same_rows(
            found.filter(part), log.rows(served & (log.time_ms >= from_ms) & (log.time_ms < from_ms + _SLICE_MS))
        )
    return int(found.num_rows)


def _command(service: Service, root: Path, *more: str) -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, "QSTASH_URL": service.url, "QSTASH_TOKEN": TOKEN, "QSOPS_DOTENV": "off"}
    return [sys.executable, "-m", "qsops", "--target", "env", "archive", "sync", "--dir", str(root), *more], environment


def main() -> int:
    """Run, print one line that sums up, and say whether memory stayed flat."""
    parser = argparse.ArgumentParser(description="Kill syncs of a long log; example: --messages 1000000 --kills 40")
    parser.add_argument("--messages", type=int, default=1_000_000, help="some three entries each, over seven days")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    asked, clock = parser.parse_args(), SystemClock()
    begun_s, now_ms = clock.monotonic_s(), clock.now_ms()
    begins_ms = now_ms - DAYS * DAY_MS + 2 * HOUR_MS
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(asked.messages, asked.seed, begins_ms, now_ms) as service,
    ):
        root = Path(folder)
        died = killed(service, root / "killed", asked.kills, asked.seed)
        last_ms = int(service.ask(f"advance {LATEST_MS}"))
        peak_mb(service, root / "killed")
        log = written(asked.seed, asked.messages, days=DAYS, begins_ms=begins_ms, latest_ms=LATEST_MS, **SHARES)
        entries = compare(log, root / "killed", last_ms)
        short_mb = peak_mb(service, root / "short", "--since", "60h", "--until", "43h")
        long_mb = peak_mb(service, root / "long")
        violations = int(service.ask("counts").partition('"violations": ')[2].rstrip("}"))
    flat = long_mb <= short_mb + GROWTH_MB
    print(
        f"archive: {entries:,} entries row for row after {died} kill -9s of {asked.kills} syncs; memory of a sync "
        f"{short_mb:.0f} MB for 17 hours, {long_mb:.0f} MB for seven days ({'flat' if flat else 'NOT FLAT'}); "
        f"{violations} requests over the limit (seed {asked.seed}, {clock.monotonic_s() - begun_s:.0f} s)"
    )
    return 0 if flat and not violations else 1


if __name__ == "__main__":
    sys.exit(main())
