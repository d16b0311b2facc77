"""An archive that is kept of a log server, and how its rows are held to what was served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from qsops import frames
from qsops.archive.dead_letters import Listed, pull_dead_letters
from qsops.archive.delta import DeltaStore
from qsops.archive.layout import LOGS
from qsops.archive.source import LogSource
from qsops.archive.state import State, load
from qsops.archive.syncing import SyncReport, sync
from qsops.client import Client, HttpTransport
from qsops.clock import Clock, ManualClock, SeededIds, SystemClock
from tests.logserver import TOKEN, LogServer

__all__ = ["Kept", "assert_same_rows", "held", "keeping", "rows_of"]


@dataclass(frozen=True, slots=True)
class Kept:
    """The parts of one archive: its store, the log that it is of, and a clock that stands where the server's does."""

    store: DeltaStore
    source: LogSource
    letters: Callable[[], Listed]
    server: LogServer
    clock: ManualClock

    def wait(self, ms: int) -> None:
        """Time passes, here and there."""
        self.clock.advance(ms)
        self.server.now_ms = self.clock.now_ms()

    def sync(self, **more: Any) -> SyncReport:
        """One sync, of small windows unless it is said otherwise."""
        return sync(self.store, self.source, self.clock, **{"most": 500, **more})


@contextmanager
def keeping(server: LogServer, root: Path, files: Clock | None = None) -> Iterator[Kept]:
    """An archive at ``root``; ``files`` is the clock by which its files age, which is the machine's."""
    clock = ManualClock(server.now_ms)

    async def sleep(seconds: float) -> None:
        clock.advance(max(1, round(seconds * 1000)))

    client = Client(HttpTransport(server.url, 10.0), TOKEN, clock=clock, ids=SeededIds(clock), sleep=sleep)
    with asyncio.Runner() as runner:
        source = LogSource(client, lambda work: runner.run(work(int)))

        def letters() -> Listed:
            return runner.run(pull_dead_letters(client))

        try:
            yield Kept(DeltaStore(str(root), files or SystemClock()), source, letters, server, clock)
        finally:
            runner.run(client.aclose())


def held(store: DeltaStore, state: State | None = None) -> pa.Table:
    """The rows of ``logs`` as of a state, the latest if none is named."""
    return store.dataset((state or load(store)).tables[LOGS.name]).to_table()


def rows_of(table: pa.Table) -> pd.DataFrame:
    """The rows of a table of logs in an order of their own, without their numbers among equals."""
    frame = frames.of_table(table, frames.LOGS).drop(columns="seq")
    keys = ["time", "message_id", "state", "error"]
    return frame.sort_values(keys, kind="stable").reset_index(drop=True)


def assert_same_rows(found: pa.Table, served: pa.Table) -> None:
    """Row for row the same, equal ones as often, and numbered from 0."""
    assert found.num_rows == served.num_rows
    pd.testing.assert_frame_equal(rows_of(found), rows_of(served))
    key = ["message_id", "time", "state"]
    numbers = found.select([*key, "seq"]).to_pandas()
    ordered = numbers.sort_values([*key, "seq"])
    assert (ordered["seq"] == ordered.groupby(key, dropna=False).cumcount()).all()
