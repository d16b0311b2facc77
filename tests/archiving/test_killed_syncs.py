"""``qsops archive sync`` killed at any moment, on a service with bad days: the archive is what was served."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qsops import fold, frames
from qsops.archive.delta import DeltaStore
from qsops.archive.layout import MALFORMED, MESSAGES, Layout
from qsops.archive.state import load
from qsops.archive.store import Part, Snapshot
from qsops.clock import SystemClock
from tests.archiving.keeping import assert_same_rows, held, keeping
from tests.archiving.processes import Verb
from tests.examples import TIMES
from tests.logserver import TOKEN, Faults, LogServer, Settings, written
from tests.logserver.log import JUNK

HOUR_MS = 3_600_000
#: Less than a sync looks back by, since between two of them some seconds pass.
LATEST_MS = 300_000
ROUNDS = 4 * TIMES
ROWS, PAGE = 7_000, 250
#: So many have fewer entries than there are.
PAGES = ROWS // PAGE
NUMBERS = itertools.count()


@pytest.fixture
def seed() -> int:
    """Another one each time; a failure prints it."""
    return int.from_bytes(os.urandom(4), "big")


@pytest.fixture
def server(seed: int) -> Iterator[LogServer]:
    """A day's log, up to this moment, of a service with faults, a limit, late, doubled and broken entries."""
    now_ms = SystemClock().now_ms()
    log = written(seed, 4_000, begins_ms=now_ms - 20 * HOUR_MS, late=0.1, latest_ms=LATEST_MS, twins=0.01, junk=0.002)
    faults = Faults(seed, refused=0.03, lost=0.03, cut=0.03, slow=0.1, slow_s=0.02)
    with LogServer(log, Settings(page=PAGE, requests_per_s=100, faults=faults), now_ms=now_ms) as made:
        yield made


def sync(server: LogServer, root: Path) -> Verb:
    environment = {"QSTASH_URL": server.url, "QSTASH_TOKEN": TOKEN, "QSOPS_DOTENV": "off", "QSOPS_TRACEBACK": "on"}
    output = root.with_name(f"output-{next(NUMBERS)}")
    return Verb(["--target", "env", "archive", "sync", "--dir", str(root)], environment, output)


def assert_archived(server: LogServer, root: Path) -> None:
    """Every entry of the covered range is there once, and what was derived is what follows from them."""
    store = DeltaStore(str(root), SystemClock())
    state = load(store)
    ((from_ms, to_ms),) = state.covered
    log = server.face.log
    assert from_ms < log.time_ms[0]
    covered = server.face.visible() & (log.time_ms <= to_ms)
    served = log.rows(covered)
    logs = held(store, state)
    assert served.num_rows > ROWS
    assert_same_rows(logs, served)
    told = store.dataset(state.tables[MESSAGES.name]).to_table().select(frames.MESSAGES.names)
    found, expected = frames.of_table(told, frames.MESSAGES), fold.messages(frames.of_table(logs, frames.LOGS))
    found, expected = (frame.sort_values("message_id").reset_index(drop=True) for frame in (found, expected))
    pd.testing.assert_frame_equal(found, expected)
    raw = store.dataset(state.tables[MALFORMED.name]).to_table()["raw"]
    assert set(raw.to_pylist()) == {JUNK[kind].decode() for kind in log.junk[covered] if kind >= 0}


def test_killed_anywhere_nothing_is_lost_or_doubled(server: LogServer, seed: int, tmp_path: Path):
    """Killed while it pulls or writes, time after time, and then let through: row for row what was served."""
    rng, killed = np.random.default_rng(seed), 0
    for turn in range(ROUNDS):
        # At first it cannot have ended by then, however fast it is: it is given fewer pages than the log has. Later it
        # is killed anywhere, if it has not ended.
        is_held = turn < ROUNDS // 2
        enough = server.counts.total() + int(rng.integers(1, PAGES if is_held else 50))
        server.face.answers = enough if is_held else inf
        verb = sync(server, tmp_path / "archive")
        server.face.wait_for(enough, 20)
        killed += verb.killed_after(float(rng.uniform(0, 0.4)))
        server.now_ms += 30_000
    server.face.answers = inf
    server.now_ms += LATEST_MS
    status, output = sync(server, tmp_path / "archive").ended()
    assert status == 0, f"seed {seed}: {output}"
    assert killed >= ROUNDS // 2, f"seed {seed}"
    assert server.violations == 0, f"seed {seed}"
    assert_archived(server, tmp_path / "archive")


def test_two_syncs_at_once_are_one(server: LogServer, seed: int, tmp_path: Path):
    """Each does all that the other has not: both end well, and each entry is there once."""
    verbs = [sync(server, tmp_path / "archive") for _ in range(2)]
    for verb in verbs:
        status, output = verb.ended()
        assert status == 0, f"seed {seed}: {output}"
    server.now_ms += LATEST_MS
    status, output = sync(server, tmp_path / "archive").ended()
    assert status == 0, f"seed {seed}: {output}"
    assert_archived(server, tmp_path / "archive")


def test_a_first_sync_that_dies_before_its_commit_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its rows lie there without any commit, which is not an archive that lost its commits."""
    log = written(1, 200)
    with LogServer(log) as server, keeping(server, tmp_path / "archive") as kept:
        advance = kept.store.advance

        def die(layout: Layout, base: Snapshot | None, add: Sequence[Part], *rest: Any) -> Snapshot:
            if add:
                raise KeyboardInterrupt
            return advance(layout, base, add, *rest)

        with monkeypatch.context() as patched:
            patched.setattr(kept.store, "advance", die)
            with pytest.raises(KeyboardInterrupt):
                kept.sync(most=100_000)
        assert (tmp_path / "archive" / "logs").exists()
        assert load(kept.store).commit is None
        kept.sync(most=100_000)
        assert_same_rows(held(kept.store), server.listed())
