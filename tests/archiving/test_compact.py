"""Compacting changes files and nothing else: not a row, no reader's version, and no sync that is under way."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from qsops.archive.compact import KEEP_MS, compact
from qsops.archive.layout import COMMITS, LOGS
from qsops.archive.state import load
from qsops.archive.store import Snapshot
from qsops.clock import EPOCH_MS, ManualClock, SystemClock
from qsops.errors import SettingsError
from tests.archiving.keeping import Kept, assert_same_rows, held, keeping
from tests.logserver import Log, LogServer, written

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def log() -> Log:
    return written(2, 1_500, twins=0.05)


@pytest.fixture(scope="module")
def grown(log: Log, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """An archive of several syncs, each of which made files of its own, and when the last of them was."""
    root = tmp_path_factory.mktemp("grown")
    with LogServer(log, now_ms=int(log.time_ms[0])) as server, keeping(server, root) as made:
        for _ in range(3):
            made.wait(8 * HOUR_MS)
            made.sync(most=700)
        return root, server.now_ms


@pytest.fixture
def kept(log: Log, grown: tuple[Path, int], tmp_path: Path) -> Iterator[Kept]:
    """The same, for one test."""
    root, now_ms = grown
    shutil.copytree(root, tmp_path / "archive")
    with LogServer(log, now_ms=now_ms) as server, keeping(server, tmp_path / "archive") as made:
        yield made


def files(kept: Kept) -> dict[str, int]:
    state = load(kept.store)
    return {name: len(snapshot.files) for name, snapshot in state.tables.items()}


def test_rows_stay_as_they_are(kept: Kept):
    """In the same versions of one more commit, with fewer files; the second time there is nothing to do."""
    before, number = files(kept), load(kept.store).commit
    reports = {one.table: one for one in compact(kept.store, kept.clock)}
    assert_same_rows(held(kept.store), kept.server.listed())
    assert before["logs"] > 3
    # Those of unfinished messages stay apart, and attempts of which nobody knows the end.
    assert files(kept) == dict.fromkeys(before, 1) | {"attempts": 3, "messages": 2}
    assert (reports["logs"].files_before, reports["logs"].files_after) == (before["logs"], 1)
    assert reports["commits"].files_after == 1
    commit = load(kept.store).commit
    assert commit is not None
    assert number is not None
    assert (commit.number, commit.kind, commit.covered) == (number.number + 1, "compact", number.covered)
    assert held(kept.store)["time_ms"].to_pylist() == sorted(held(kept.store)["time_ms"].to_pylist())
    compact(kept.store, kept.clock)
    assert load(kept.store).commit == commit


def test_a_sync_goes_on_after_it(kept: Kept):
    """What is merged with compacted files is as exact as with small ones."""
    compact(kept.store, kept.clock)
    kept.wait(40 * HOUR_MS)
    kept.sync(most=100_000)
    assert_same_rows(held(kept.store), kept.server.listed())
    kept.sync()
    assert_same_rows(held(kept.store), kept.server.listed())


def test_a_pinned_reader_keeps_what_it_reads(kept: Kept):
    """Who has read a state reads the same rows from it afterwards."""
    pinned = load(kept.store)
    before = held(kept.store, pinned)
    assert sum(one.deleted for one in compact(kept.store, kept.clock)) == 0
    assert held(kept.store, pinned).equals(before)


def test_what_was_replaced_long_ago_is_deleted(log: Log, tmp_path: Path):
    """Files that no version has needed for the time that readers have are gone, and no row with them."""
    long_ago = ManualClock(EPOCH_MS)
    assert long_ago.now_ms() < SystemClock().now_ms() - KEEP_MS
    with LogServer(log) as server, keeping(server, tmp_path, files=long_ago) as kept:
        kept.sync(most=100_000)
        compact(kept.store, kept.clock)
        compact(kept.store, kept.clock)
        state = load(kept.store)
        for name, snapshot in [*state.tables.items(), (COMMITS.name, state.commits)]:
            assert snapshot is not None
            on_disk = {str(path) for path in (tmp_path / name).rglob("*.parquet")}
            assert on_disk == set(snapshot.uris)
        assert_same_rows(held(kept.store), server.listed())


def test_readers_have_all_of_the_time_that_was_named(log: Log, tmp_path: Path):
    """What was replaced 80 minutes ago is there for an hour and a half, though Delta counts whole hours."""
    minute_ms = HOUR_MS // 60
    before = ManualClock(SystemClock().now_ms() - 80 * minute_ms)
    with LogServer(log) as server, keeping(server, tmp_path, files=before) as kept:
        kept.sync(most=1_000)
        compact(kept.store, kept.clock)
        assert sum(one.deleted for one in compact(kept.store, kept.clock, keep_ms=90 * minute_ms)) == 0
        assert sum(one.deleted for one in compact(kept.store, kept.clock, keep_ms=HOUR_MS)) > 0


def test_a_commit_that_comes_in_between_is_not_lost(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """A sync that is done while files are merged comes first; the merge is done again on top of it."""
    advance, pending = kept.store.advance, [True]

    def after_another(*arguments: object, **more: object) -> Snapshot:
        if pending:
            pending.clear()
            kept.wait(40 * HOUR_MS)
            kept.sync(most=100_000)
        return advance(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(kept.store, "advance", after_another)
    compact(kept.store, kept.clock)
    assert_same_rows(held(kept.store), kept.server.listed())
    assert files(kept)["logs"] == 1


def test_a_sync_during_it_is_not_lost(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """The other way round: files are merged while a sync is about to commit, which then commits on top."""
    advance, pending = kept.store.advance, [True]

    def after_compacting(*arguments: object, **more: object) -> Snapshot:
        if pending:
            pending.clear()
            compact(kept.store, kept.clock)
        return advance(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(kept.store, "advance", after_compacting)
    kept.wait(40 * HOUR_MS)
    kept.sync(most=100_000)
    assert_same_rows(held(kept.store), kept.server.listed())


def test_large_files_are_left_alone(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """What has half the size that files grow to is not written again, and none grows past it."""
    monkeypatch.setattr("qsops.archive.compact._ROWS", 1_200)
    compact(kept.store, kept.clock)
    logs = load(kept.store).tables[LOGS.name]
    assert max(file.rows for file in logs.files) <= 1_200
    large = {file.path for file in logs.files if file.rows >= 600}
    kept.wait(40 * HOUR_MS)
    kept.sync(most=100_000)
    compact(kept.store, kept.clock)
    assert large <= {file.path for file in load(kept.store).tables[LOGS.name].files}
    assert_same_rows(held(kept.store), kept.server.listed())


def test_readers_have_an_hour_at_least(kept: Kept):
    """A shorter time is refused, and nothing is deleted."""
    with pytest.raises(SettingsError, match="at least an hour"):
        compact(kept.store, kept.clock, keep_ms=HOUR_MS - 1)


def test_what_is_not_there_is_not_made(tmp_path: Path):
    """Whoever names another folder by mistake is told so."""
    with LogServer(written(2, 10)) as server, keeping(server, tmp_path / "new") as kept:
        with pytest.raises(SettingsError, match="there is no archive at"):
            compact(kept.store, kept.clock)
        assert not (tmp_path / "new").exists()
