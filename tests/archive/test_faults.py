"""What is wrong with a store is one clear line of ours, and nothing is changed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from qsops.archive import Archive, open_archive
from qsops.archive.faults import reported
from qsops.archive.layout import COMMITS, FORMAT
from qsops.archive.places import place, store_at
from qsops.archive.state import load
from qsops.archive.store import Part, Store
from qsops.archive.syncing import sync
from qsops.clock import EPOCH_MS, ManualClock
from qsops.errors import Corrupt, QsopsError, SettingsError, Unreachable
from tests.archive.conftest import Bucket
from tests.archive.killed import HALF_MS, log_at


def _kept(store: Store) -> None:
    log = log_at(HALF_MS)
    with reported(store.root):
        sync(store, log, log.clock, from_ms=EPOCH_MS)


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _table(folder: Path) -> None:
    shutil.rmtree(folder / "messages")


def _versions(folder: Path) -> None:
    shutil.rmtree(folder / "attempts" / "_delta_log")


def _commits(folder: Path) -> None:
    shutil.rmtree(folder / "commits")


def _data(folder: Path) -> None:
    for path in (folder / "logs").glob("*.parquet"):
        path.unlink()


@pytest.mark.parametrize(
    ("delete", "read"),
    [(_table, Archive.messages), (_versions, Archive.attempts), (_commits, Archive.logs), (_data, Archive.logs)],
)
def test_half_deleted(tmp_path: Path, delete: Callable[[Path], None], read: Callable[[Archive], object]) -> None:
    """An archive of which a part is gone is neither read nor synced as if it were whole."""
    folder = tmp_path / "archive"
    store = store_at(str(folder), {})
    _kept(store)
    delete(folder)
    before = _tree(folder)
    for verb in (_kept, lambda store: read(Archive(store, ManualClock()))):
        with pytest.raises(Corrupt, match=r"restore .* from a backup|restore the folder") as told:
            verb(store)
        assert str(folder) in str(told.value)
        assert len(str(told.value).splitlines()) == 1
    assert _tree(folder) == before


def test_newer_archive(tmp_path: Path) -> None:
    """What a newer qsops wrote is refused, with what to do."""
    store = store_at(str(tmp_path), {})
    _kept(store)
    state = load(store)
    assert state.commits is not None
    row = store.dataset(state.commits).to_table().slice(state.commits.rows - 1).to_pylist()[0]
    newer = pa.Table.from_pylist([{**row, "format": FORMAT + 1, "commit": row["commit"] + 1}], schema=COMMITS.schema)
    store.advance(COMMITS, state.commits, [Part(newer)])
    before = _tree(tmp_path)
    with pytest.raises(SettingsError, match=r"newer qsops \(format 2, this one reads up to 1\): update qsops"):
        _kept(store)
    assert _tree(tmp_path) == before


def test_nothing_there(tmp_path: Path) -> None:
    """To read an archive that was never made says how to make one, and makes none."""
    with pytest.raises(SettingsError, match=r"there is no archive at .*: qsops archive sync --dir"):
        open_archive(tmp_path / "none").messages()
    assert list(tmp_path.iterdir()) == []


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be written is told of by name."""
    store = store_at(str(tmp_path / "archive"), {})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("qsops.archive.delta.DeltaTable.create", refuse)
    with pytest.raises(SettingsError, match=r"archive: no permission there"):
        _kept(store)


def _told(address: str, env: dict[str, str]) -> QsopsError:
    with pytest.raises(QsopsError) as told:
        _kept(store_at(address, env))
    assert len(str(told.value).splitlines()) == 1
    assert env["AWS_SECRET_ACCESS_KEY"] not in str(told.value)
    return told.value


def test_wrong_credentials(s3: Bucket) -> None:
    """Credentials that the store refuses are told of by the settings' names, never by their values."""
    assert s3.ask("POST", "/moto-api/reset-auth", "0") == 200
    try:
        told = _told(s3.address(), {**s3.env, "AWS_SECRET_ACCESS_KEY": "not-this-one"})
    finally:
        s3.ask("POST", "/moto-api/reset-auth", "inf")
    assert isinstance(told, SettingsError)
    assert "AWS_ACCESS_KEY_ID" in str(told)


def test_no_bucket(s3: Bucket) -> None:
    """A bucket that does not exist is told of."""
    told = _told("s3://no-such-bucket/archive", s3.env)
    assert isinstance(told, SettingsError)
    assert "no such bucket" in str(told)


def test_unreachable_store(s3: Bucket) -> None:
    """A store that does not answer is unreachable."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        env = {**s3.env, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        told = _told("s3://archives/archive", env)
    assert isinstance(told, Unreachable)
    assert "AWS_ENDPOINT_URL" in str(told)


@pytest.mark.parametrize("url", ["127.0.0.1:9000", "store.example", "ftp://store.example", "https://", "http://["])
def test_an_endpoint_that_is_no_url(url: str) -> None:
    """The setting is named at once: the store's own library would end in a panic, on several lines."""
    with pytest.raises(SettingsError, match=r"AWS_ENDPOINT_URL: .* is no URL"):
        store_at("s3://archives/archive", {"AWS_ENDPOINT_URL": url})


def test_places(tmp_path: Path) -> None:
    """An archive lies where it is named, else where the setting says, else with the project."""
    assert place("some/where", {}, tmp_path) == str(Path("some/where").absolute())
    assert place(None, {"QSOPS_ARCHIVE": "logs"}, tmp_path) == str(tmp_path / "logs")
    assert place("s3://bucket/logs/", {}, tmp_path) == "s3://bucket/logs"
    assert place(None, {}, tmp_path) == str(tmp_path / ".qsops" / "archive")


@pytest.mark.parametrize(
    "text", ["ftp://host/path", "s3://", "https://key:secret@host/logs", "s3://key:secret@bucket/logs"]
)
def test_no_place(tmp_path: Path, text: str) -> None:
    """What is neither a folder nor a bucket is refused, without showing what may be a password."""
    with pytest.raises(SettingsError, match=r"QSOPS_ARCHIVE.*neither a folder nor s3://BUCKET/PREFIX") as told:
        place(None, {"QSOPS_ARCHIVE": text}, tmp_path)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("text", ["100%25", "s3://bucket/a%20b", "two\\parts", "two\nlines", "a\x00b"])
def test_names_that_delta_misreads(tmp_path: Path, text: str) -> None:
    """A name that Delta would look for elsewhere than it has written is refused before anything is written."""
    with pytest.raises(SettingsError, match=r"the archive's path: .* name it otherwise"):
        place(text, {}, tmp_path)


def test_names_that_are_odd(tmp_path: Path) -> None:
    """Any other name will do."""
    folder = place(tmp_path / "100 % \xfcn\xef#code? [*] {~}: it's;+&", {}, tmp_path)
    _kept(store_at(folder, {}))
    assert open_archive(folder).messages().to_pyarrow().num_rows > 1
    assert [path.name for path in tmp_path.iterdir()] == [Path(folder).name]


def test_a_file(tmp_path: Path) -> None:
    """An archive cannot be where a file is."""
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(SettingsError, match="is a file: name a folder"):
        place(tmp_path / "notes.txt", {}, tmp_path)


def test_without_the_packages(tmp_path: Path) -> None:
    """Where the extra is not installed, an archive says how to install it, and all else of qsops works."""
    tried = """
import sys
sys.modules.update(dict.fromkeys(["deltalake", "duckdb", "ibis"]))
import qsops
for open_it in (qsops.connect().archive, __import__("qsops.archive").archive.open_archive):
    try:
        open_it(sys.argv[1])
    except qsops.errors.SettingsError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", tried, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["an archive needs the package deltalake: pip install 'qsops[archive]'"] * 2
