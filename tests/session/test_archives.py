"""The archive of a session: fed with its log, read like its frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import qsops
from qsops import frames
from qsops.errors import SettingsError

CONSUMER = "https://consumer.example/hook"


def test_archive_holds_the_session_s_log(tmp_path: Path) -> None:
    """What was synced are the frames of the session, also when the service has gone on since."""
    with qsops.connect() as qs:
        qs.receiver(CONSUMER, "500,200")
        for number in range(5):
            qs.publish(CONSUMER, body=str(number))
        qs.advance("1h")
        archive = qs.archive(tmp_path)
        before = qs.logs(), qs.messages()
        report = archive.sync()
        assert (report.added, report.forgotten) == (len(before[0]), ())
        qs.publish(CONSUMER, body="later")
        for table, schema, expected in zip(
            (archive.logs(), archive.messages()), (frames.LOGS, frames.MESSAGES), before, strict=True
        ):
            rows = frames.of_table(table.to_pyarrow(), schema)
            keys = [name for name in ("message_id", "time", "state", "seq") if name in rows]
            pd.testing.assert_frame_equal(
                rows.sort_values(keys).reset_index(drop=True), expected.sort_values(keys).reset_index(drop=True)
            )


def test_bodies_are_asked_for(tmp_path: Path) -> None:
    """Texts of messages and answers are archived only where they are asked for."""
    with qsops.connect() as qs:
        qs.receiver(CONSUMER, "200")
        for bodies in (False, True):
            qs.publish(CONSUMER, body=f"secret of {bodies}")
            qs.advance("1m")
            qs.archive(tmp_path).sync(bodies=bodies)
        held = qs.archive(tmp_path).logs().body.to_pyarrow()
        assert set(held.to_pylist()) == {None, "secret of True"}


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path it is that of QSOPS_ARCHIVE; what cannot be one is refused by the setting's name."""
    monkeypatch.setenv("QSOPS_ARCHIVE", str(tmp_path / "kept"))
    with qsops.connect() as qs:
        assert qs.archive().store.root == str(tmp_path / "kept")
    monkeypatch.setenv("QSOPS_ARCHIVE", "gs://bucket/kept")
    with qsops.connect() as qs, pytest.raises(SettingsError, match="QSOPS_ARCHIVE"):
        qs.archive()


def test_times_are_read(tmp_path: Path) -> None:
    """A range is said as everywhere: spans back from now, dates, milliseconds."""
    with qsops.connect() as qs:
        qs.advance("2h")
        report = qs.archive(tmp_path).sync("1h", "30m", lateness="5m")
        now_ms = qs.clock.now_ms()
        assert (report.from_ms, report.to_ms) == (now_ms - 3_600_000, now_ms - 1_800_000)
        with pytest.raises(SettingsError, match="lateness"):
            qs.archive(tmp_path).sync(lateness="soon")
