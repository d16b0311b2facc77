"""Reading an archive: the tables through Ibis, as they were committed."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from deltalake import DeltaTable

from qsops import fold, frames
from qsops.archive import Archive
from qsops.archive.layout import LOGS
from qsops.archive.places import store_at
from qsops.archive.store import Part
from qsops.archive.syncing import sync
from qsops.clock import EPOCH_MS, ManualClock
from tests.archive.conftest import Bucket
from tests.archive.killed import END_MS, HALF_MS, log_at


def _kept(archive: Archive, at_ms: int) -> pd.DataFrame:
    """Sync what is listed at a time: that, as a frame."""
    log = log_at(at_ms)
    sync(archive.store, log, log.clock, from_ms=EPOCH_MS)
    return frames.logs(log.listed())


def _count(table: Any) -> int:
    return int(table.count().to_pyarrow().as_py())


@pytest.fixture(params=["folder", "s3"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    if request.param == "folder":
        return Archive(store_at(str(tmp_path), {}), ManualClock())
    s3: Bucket = request.getfixturevalue("s3")
    return Archive(store_at(s3.address(), s3.env), ManualClock())


def test_tables(archive: Archive) -> None:
    """The tables of an archive have the names, the columns and the rows of the frames."""
    logs = _kept(archive, HALF_MS)
    found = {"logs": archive.logs(), "attempts": archive.attempts(), "messages": archive.messages()}
    expected = {"logs": logs, "attempts": fold.attempts(logs), "messages": fold.messages(logs)}
    for name, schema in (("logs", frames.LOGS), ("attempts", frames.ATTEMPTS), ("messages", frames.MESSAGES)):
        rows = frames.of_table(found[name].to_pyarrow(), schema)
        keys = [column for column in rows.columns if column in ("message_id", "time", "state", "seq", "started_at")]
        pd.testing.assert_frame_equal(
            rows.sort_values(keys).reset_index(drop=True), expected[name].sort_values(keys).reset_index(drop=True)
        )


def test_pinned(tmp_path: Path) -> None:
    """A table that was opened keeps its rows; one that is opened later has those of the latest commit."""
    archive = Archive(store_at(str(tmp_path), {}), ManualClock())
    before = len(_kept(archive, HALF_MS))
    opened = archive.logs()
    after = len(_kept(archive, END_MS))
    assert _count(opened) == before
    assert _count(archive.logs()) == after > before


def test_logs_may_be_ahead(tmp_path: Path) -> None:
    """What a sync has written and not committed shows to others that read Delta, and not to our readers."""
    archive = Archive(store_at(str(tmp_path), {}), ManualClock())
    committed = len(_kept(archive, HALF_MS))
    base = archive.state().tables["logs"]
    rows = archive.store.dataset(base).to_table()
    archive.store.put(LOGS, base, [Part(rows.slice(0, 7))])
    assert _count(archive.logs()) == committed
    foreign = DeltaTable(str(tmp_path / "logs"))
    assert foreign.count() == committed + 7
    assert DeltaTable(str(tmp_path / "logs"), version=base.version).count() == committed


def test_others_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/archive.md shows it, others find the rows of a commit, and which messages are unfinished."""
    archive = Archive(store_at(str(tmp_path / "archive"), {}), ManualClock())
    _kept(archive, HALF_MS)
    document = Path(__file__).parents[2] / "docs" / "archive.md"
    (shown,) = re.findall(r"```python\n(from deltalake .*?)```", document.read_text(), re.S)
    (tmp_path / "shown.py").write_text(shown)
    monkeypatch.chdir(tmp_path)
    rows = runpy.run_path("shown.py")["messages"]
    assert len(rows) == _count(archive.messages())
    assert (rows["open"] == rows["finished_ms"].isna()).all()
    assert set(rows["open"]) == {True, False}
