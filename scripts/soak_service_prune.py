"""Prune a million old claims while deliveries are committed, and see that none of them waits for it.

``python -m scripts.soak_service_prune [--claims 1000000] [--rate 100]`` from the root of the project, on SQLite in a
file and on a PostgreSQL of its own, one after the other. Commits by themselves and beside the pruner are measured by
turns until nothing is left, without the pruner's ten minutes between two goes. Exit status 1 when a commit waited too
long.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from bench.postgres import cluster
from qsops.clock import SystemClock
from qsops.models import LedgerEntry
from service.pruning import Pruner
from service.store import Effects, Statement, Store, open_store

#: A delivery that waits so long would be felt, since a POST has to be answered within a second; unless commits by
#: themselves wait half as long on a machine that has other things to do.
STALL_MS: Final = 950.0
RETENTION_S: Final = 30 * 86_400
OLD_MS: Final = 40 * 86_400_000
#: For so long commits are by themselves, and then beside the pruner, in turn.
TURN_S: Final = 10.0
#: In one transaction, which a server gives ten seconds.
FILLED: Final = 50_000
_NUMBERS: Final = {
    "SQLite": "with recursive numbers (n) as (select :first union all select n + 1 from numbers where n < :last)",
    "PostgreSQL": "with numbers (n) as (select generate_series(cast(:first as integer), cast(:last as integer)))",
}
# Claims a millisecond apart, and a callback for every tenth.
_OLD: Final = (
    "{numbers} insert into events (event_id, kind, account, state, received_at_ms, message_id, deliveries, "
    "claimed_at_ms) select 'old-' || n, 'message', '1', 'processed', :at_ms + n, 'msg_' || n, 1, :at_ms + n "
    "from numbers",
    "{numbers} insert into callbacks (message_id, retried, outcome, event_id, status, reported_at_ms) "
    "select 'msg_' || n, 0, 'failure', 'old-' || n, 500, :at_ms + n from numbers where n % 10 = 0",
)
_NOTE: Final = (
    "insert into other_events (event_id, kind, account, occurred_at_ms, payload) values (:id, 'note', '1', 0, 'a')"
)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long commits took, in milliseconds."""

    ms: list[float]

    def __str__(self) -> str:
        cuts = quantiles(self.ms, n=100)
        return f"median {cuts[49]:.1f}, 99th percentile {cuts[98]:.1f}, longest {max(self.ms):.1f} ms of {len(self.ms)}"


class Deliveries:
    """Commits ``rate`` events a second, each when it is due, whatever became of the one before."""

    def __init__(self, store: Store, clock: SystemClock, rate: int) -> None:
        self._store = store
        self._clock = clock
        self._every_s = 1 / rate
        self._number = 0

    async def until(self, over: asyncio.Task[Any]) -> Waits:
        """Commit until ``over`` has ended; how long each took."""
        begun_s, first = self._clock.monotonic_s(), self._number
        waits: list[float] = []
        under_way: set[asyncio.Task[None]] = set()
        while not over.done():
            self._number += 1
            task = asyncio.create_task(self._one(f"new-{self._number}", waits))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due_s = begun_s + (self._number - first) * self._every_s
            await asyncio.sleep(max(0.0, due_s - self._clock.monotonic_s()))
        await asyncio.gather(*under_way)
        return Waits(waits)

    async def _one(self, event_id: str, waits: list[float]) -> None:
        begun_s, now_ms = self._clock.monotonic_s(), self._clock.now_ms()
        entry = LedgerEntry(event_id, "message", "1", "processed", now_ms, processed_at_ms=now_ms, deliveries=1)
        if not await self._store.commit(Effects(entry, [Statement(_NOTE, {"id": event_id})]), now_ms):
            raise SystemExit(f"{event_id} was claimed before")
        waits.append((self._clock.monotonic_s() - begun_s) * 1000)


async def fill(store: Store, name: str, count: int, clock: SystemClock) -> None:
    """Put ``count`` old claims there, by the handler's own way into the database."""
    at_ms = clock.now_ms() - OLD_MS
    for first in range(1, count + 1, FILLED):
        told = {"first": first, "last": min(first + FILLED - 1, count), "at_ms": at_ms}
        statements = [Statement(text.format(numbers=_NUMBERS[name]), told) for text in _OLD]
        entry = LedgerEntry(f"fill-{first}", "note", "1", "processed", at_ms)
        await store.commit(Effects(entry, statements), clock.now_ms())


async def soak(url: str, name: str, count: int, rate: int) -> bool:
    """Whether a commit stalled beside the pruner."""
    clock, store = SystemClock(), open_store(url)
    await store.open()
    await fill(store, name, count, clock)
    pruner, deliveries = Pruner(store, clock, RETENTION_S), Deliveries(store, clock, rate)
    alone, beside, total = Waits([]), Waits([]), 0
    # By turns, so that whatever else the machine does falls on both alike.
    while await _old(store, clock):
        alone.ms.extend((await deliveries.until(asyncio.create_task(asyncio.sleep(TURN_S)))).ms)
        going = asyncio.create_task(pruner.prune(TURN_S))
        beside.ms.extend((await deliveries.until(going)).ms)
        total += going.result()
    await store.aclose()
    if total != count + count // 10:
        raise SystemExit(f"{name}: {total} rows were pruned")
    print(f"{name}: {total:,} rows pruned; commits alone: {alone}; beside it: {beside}", flush=True)
    return max(beside.ms) > max(STALL_MS, 2 * max(alone.ms))


async def _old(store: Store, clock: SystemClock) -> bool:
    told = {"at_ms": clock.now_ms() - RETENTION_S * 1000}
    old = "select 1 as one from {} where {} < :at_ms limit 1"
    tables = (("events", "claimed_at_ms"), ("callbacks", "reported_at_ms"))
    return any([await store.fetch(Statement(old.format(*names), told)) for names in tables])


@contextmanager
def _databases() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder, cluster() as postgres:
        yield {"SQLite": f"sqlite:///{Path(folder) / 'service.db'}", "PostgreSQL": postgres.url()}


def main() -> int:
    """Run on both, and say whether a commit stalled."""
    parser = argparse.ArgumentParser(description="Prune beside deliveries; example: --claims 1000000 --rate 100")
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=100, help="commits a second")
    arguments = parser.parse_args()
    with _databases() as urls:
        stalled = [name for name, url in urls.items() if asyncio.run(soak(url, name, arguments.claims, arguments.rate))]
    print(f"pruning: {'no commit stalled beside it' if not stalled else 'a commit stalled on ' + ', '.join(stalled)}")
    return int(bool(stalled))


if __name__ == "__main__":
    sys.exit(main())
