"""A Delta log that lost a file, or the end of one, is told of; what it no longer names is never taken for all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from qsops.archive import Archive
from qsops.archive.compact import compact
from qsops.archive.layout import COMMITS, TABLES, Layout
from qsops.archive.marks import is_latest
from qsops.archive.places import store_at
from qsops.archive.state import State, load
from qsops.archive.store import Part, Snapshot, Store
from qsops.archive.syncing import sync
from qsops.clock import EPOCH_MS
from qsops.errors import Corrupt
from tests.archive.killed import END_MS, HALF_MS, log_at

_TABLES = sorted(set(TABLES) - {"dead_letters"})
_TIMES = 3


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _half(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _first_line(file: Path) -> None:
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])


def _sync(store: Store, times: int = _TIMES) -> None:
    log = log_at(HALF_MS)
    for number in range(1, times + 1):
        sync(store, log, log.clock, from_ms=EPOCH_MS, to_ms=EPOCH_MS + (HALF_MS - EPOCH_MS) * number // times)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of three commits, to be copied."""
    folder = tmp_path_factory.mktemp("synced") / "archive"
    _sync(store_at(str(folder), {}))
    return folder


def _holds(state: State) -> dict[str, tuple[str, ...]]:
    return {name: tuple(file.path for file in one.files) for name, one in state.tables.items()}


def _loaded(store: Store) -> State | str:
    """The state of the archive, or why it cannot be had."""
    try:
        return load(store)
    except Corrupt as error:
        return str(error)


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("damage", [_empty, _half, _first_line, Path.unlink])
@pytest.mark.parametrize("table", _TABLES)
def test_each_file_of_each_log(synced: Path, tmp_path: Path, table: str, damage: Callable[[Path], None]) -> None:
    """Whichever file of a log is hurt, the archive says so by the table's name, or holds all that it did."""
    folder = tmp_path / "archive"
    shutil.copytree(synced, folder)
    store = store_at(str(folder), {})
    whole, told = load(store), 0
    for file in sorted((folder / table / "_delta_log").iterdir()):
        content = file.read_bytes()
        damage(file)
        before = _tree(folder)
        found = _loaded(store)
        if isinstance(found, str):
            told += 1
            assert re.search(rf"\b{table}\b.* version.*: restore that folder from a backup", found), found
            assert len(found.splitlines()) == 1
            assert "<unknown>" not in found
        elif found.commit != whole.commit:
            # A commit that is gone with its file leaves no trace: the archive is as it was before it.
            assert (table, damage) == ("commits", Path.unlink)
            assert found.covered[-1][1] < whole.covered[-1][1]
        else:
            assert _holds(found) == _holds(whole)
        assert _tree(folder) == before
        file.write_bytes(content)
    assert told >= 1
    assert _holds(load(store)) == _holds(whole)


@pytest.mark.parametrize("table", ["attempts", "commits", "logs", "messages", "open"])
def test_newest_file_emptied(synced: Path, tmp_path: Path, table: str) -> None:
    """What a power cut may leave stops every verb, which says what was committed and changes nothing."""
    folder = tmp_path / "archive"
    shutil.copytree(synced, folder)
    store = store_at(str(folder), {})
    newest = max((folder / table / "_delta_log").glob("*.json"))
    _empty(newest)
    before, log = _tree(folder), log_at(HALF_MS)
    says = "has no commit of its own" if table == "commits" else r"\d+ rows in \d+ files were committed"
    for verb in (
        lambda: _sync(store),
        lambda: Archive(store, log.clock).messages(),
        lambda: Archive(store, log.clock).status(),
        lambda: compact(store, log.clock),
    ):
        with pytest.raises(Corrupt, match=rf"table '{table}' version {int(newest.stem)}.*{says}"):
            verb()
    assert _tree(folder) == before


def test_newest_commit_emptied_after_compaction(tmp_path: Path) -> None:
    """A compaction's version of the commits is no lost commit; one that is lost after it is told."""
    folder = tmp_path / "archive"
    store = store_at(str(folder), {})
    _sync(store)
    compact(store, log_at(HALF_MS).clock)
    compacted = load(store)
    assert compacted.commit is not None
    assert compacted.commits is not None
    assert compacted.commits.version == (compacted.commit.written or 0) + 1
    log = log_at(END_MS)
    sync(store, log, log.clock, from_ms=EPOCH_MS)
    assert load(store).commit != compacted.commit
    _empty(max((folder / "commits" / "_delta_log").glob("*.json")))
    with pytest.raises(Corrupt, match="has no commit of its own"):
        load(store)


def test_only_a_compaction_stands_above_the_last_commit() -> None:
    """One version above it, with one file of several rows; anything else there has lost what it added."""
    one = Snapshot(COMMITS.name, 5, ())
    assert is_latest(5, one)
    assert not is_latest(4, one)
    assert not is_latest(3, one)


def test_archives_that_noted_nothing(tmp_path: Path) -> None:
    """An archive of an older qsops is read, synced and asked as ever, and notes its tables from the next commit on."""
    store = store_at(str(tmp_path), {})
    _sync(store)
    state = load(store)
    assert state.commits is not None
    rows = store.dataset(state.commits).to_table()
    older = Layout(COMMITS.name, COMMITS.schema.remove(COMMITS.schema.get_field_index("tables")), COMMITS.by)
    shutil.rmtree(tmp_path / COMMITS.name)
    store.advance(older, store.advance(older, None, []), [Part(rows.select(older.schema.names))])
    opened = load(store)
    assert opened.commit is not None
    assert (opened.commit.marks, opened.commit.written) == ({}, None)
    log = log_at(END_MS)
    archive = Archive(store, log.clock)
    assert archive.sql("select count(*) as n from commits where tables is null")["n"].tolist() == [rows.num_rows]
    sync(store, log, log.clock, from_ms=EPOCH_MS)
    after = load(store).commit
    assert after is not None
    assert set(after.marks) == set(after.versions)
    assert archive.sql("select count(*) as n from commits where tables is null")["n"].tolist() == [rows.num_rows]
