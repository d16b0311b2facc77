"""A sync that dies anywhere, and another that comes in anywhere, neither lose nor double a row."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qsops.archive.delta import DeltaStore
from qsops.archive.layout import Layout
from qsops.archive.state import load
from qsops.archive.store import Snapshot
from qsops.archive.syncing import sync
from qsops.clock import EPOCH_MS, SystemClock
from tests.archive.fakelog import FakeLog, assert_consistent, assert_whole
from tests.archive.killed import END_MS, HALF_MS, MOST, begun, log_at
from tests.archive.steps import Died, Stepping, dying_at
from tests.examples import some

_FURTHEST = 400


def _synced(store: DeltaStore, at_ms: int = END_MS) -> FakeLog:
    log = log_at(at_ms)
    sync(store, log, log.clock, from_ms=EPOCH_MS, most=MOST)
    return log


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the first half of the log, to begin from."""
    folder = tmp_path_factory.mktemp("halfway")
    begun(folder)
    return folder


@pytest.fixture
def folder(halfway: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(halfway, tmp_path / "archive"))


def _steps(folder: Path) -> int:
    store = Stepping(folder, lambda _: None)
    _synced(store)
    return store.steps


def _chosen(steps: int) -> Iterator[int]:
    """Some of the steps, all of them in the soak."""
    return iter(range(1, steps + 1, max(1, steps // some(4))))


def test_dies_at_any_step(folder: Path, tmp_path: Path) -> None:
    """Wherever a sync dies, readers see the commit before, whole; and the next sync brings the rest, once."""
    steps = _steps(Path(shutil.copytree(folder, tmp_path / "counted")))
    before = load(DeltaStore(str(folder), SystemClock()))
    for step in _chosen(steps):
        at = Path(shutil.copytree(folder, tmp_path / f"died-{step}"))
        with pytest.raises(Died):
            _synced(Stepping(at, dying_at(step)))
        store = DeltaStore(str(at), SystemClock())
        state = load(store)
        assert state.covered[-1][1] >= before.covered[-1][1]
        assert_consistent(store, state)
        log = _synced(store)
        assert_whole(store, log.listed())
        shutil.rmtree(at)


def test_dies_again_and_again(folder: Path) -> None:
    """A sync that is killed a few steps on each time ends with an archive that is whole."""
    for turn in range(_FURTHEST):
        store = Stepping(folder, dying_at(26 + turn % 7))
        try:
            log = _synced(store)
        except Died:
            continue
        assert_whole(store, log.listed())
        return
    raise AssertionError(f"no sync came to its end in {_FURTHEST} turns")


def test_another_comes_in_at_any_step(folder: Path, tmp_path: Path) -> None:
    """Whatever step a sync is at when another one does it all, no entry is there twice."""
    steps = _steps(Path(shutil.copytree(folder, tmp_path / "counted")))
    for step in _chosen(steps):
        at = Path(shutil.copytree(folder, tmp_path / f"met-{step}"))

        def meet(number: int, step: int = step, at: Path = at) -> None:
            if number == step:
                _synced(DeltaStore(str(at), SystemClock()))

        store = Stepping(at, meet)
        log = _synced(store)
        assert_whole(store, log.listed())
        shutil.rmtree(at)


def test_many_at_once(folder: Path) -> None:
    """Syncs that run at the same time make one archive between them."""
    ends_ms = [END_MS - number * 60_000 for number in range(3)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda at_ms: _synced(DeltaStore(str(folder), SystemClock()), at_ms), ends_ms))
    assert_whole(DeltaStore(str(folder), SystemClock()), log_at(END_MS).listed())


class _Late(DeltaStore):
    """Somebody makes the archive, all of it, when this one has looked for the ``turn``-th time and found none."""

    def __init__(self, folder: Path, turn: int) -> None:
        super().__init__(str(folder), SystemClock())
        self._turns = turn

    def snapshot(self, layout: Layout, version: int | None = None) -> Snapshot | None:
        found = super().snapshot(layout, version)
        if found is None:
            self._turns -= 1
            if self._turns == 0:
                _synced(DeltaStore(self.root, SystemClock()))
        return found


@pytest.mark.parametrize("turn", range(1, 5))
def test_two_begin_it(tmp_path: Path, turn: int) -> None:
    """Two first syncs make one archive, also if one has ended before the other begins to write."""
    _synced(_Late(tmp_path, turn), HALF_MS)
    assert_whole(DeltaStore(str(tmp_path), SystemClock()), log_at(END_MS).listed())


def test_many_begin_it(tmp_path: Path) -> None:
    """First syncs that run at the same time make one archive between them."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: _synced(DeltaStore(str(tmp_path), SystemClock())), range(3)))
    assert_whole(DeltaStore(str(tmp_path), SystemClock()), log_at(END_MS).listed())


def test_kill_9(folder: Path) -> None:
    """A process that is killed in the middle of it leaves what the next one completes."""
    killed = subprocess.run([sys.executable, "-m", "tests.archive.killed", str(folder), "29"], check=False)
    assert killed.returncode == -signal.SIGKILL
    store = DeltaStore(str(folder), SystemClock())
    log = _synced(store)
    assert_whole(store, log.listed())


def test_readers_keep_what_they_pinned(folder: Path) -> None:
    """A state that was read stays as it was, whatever syncs write after it."""
    store = DeltaStore(str(folder), SystemClock())
    state = load(store)
    log = _synced(store)
    assert_whole(store, log.listed())
    assert_whole(store, log_at(HALF_MS).listed(), state)
