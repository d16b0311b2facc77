"""Pulling again: what came later than a sync looks back is added, once, and what differs is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsops.archive.layout import MALFORMED
from qsops.archive.state import load
from qsops.archive.verify import VerifyReport, verify
from qsops.clock import ManualClock
from qsops.errors import ServerFault, SettingsError
from tests.archiving.keeping import Kept, assert_same_rows, held, keeping
from tests.logserver import Faults, LogServer, Settings, written

HOUR_MS = 3_600_000


def verified(kept: Kept, **more: int) -> VerifyReport:
    return verify(kept.store, kept.source, kept.clock, **more)


def test_what_came_later_than_syncs_look_back_is_added(tmp_path: Path):
    """Entries up to two hours late, of which a sync sees the last ten minutes: verified, the archive is whole."""
    log = written(4, 1_000, late=0.2, latest_ms=2 * HOUR_MS, twins=0.02, junk=0.005)
    with LogServer(log, now_ms=int(log.time_ms[0])) as server, keeping(server, tmp_path) as kept:
        for _ in range(3):
            kept.wait(7 * HOUR_MS)
            kept.sync(most=100_000)
        kept.wait(2 * HOUR_MS)
        covered = load(kept.store).covered[-1]
        inside = server.face.visible() & (log.time_ms <= covered[1])
        lacking = log.rows(inside).num_rows - held(kept.store).num_rows
        malformed = kept.store.dataset(load(kept.store).tables[MALFORMED.name]).count_rows()
        report = verified(kept)
        assert report.added == lacking > 50
        assert (report.entries, report.only_here) == (log.rows(inside).num_rows, 0)
        assert_same_rows(held(kept.store), log.rows(inside))
        again = verified(kept)
        assert (again.added, again.malformed, again.commit) == (0, 0, None)
        assert kept.store.dataset(load(kept.store).tables[MALFORMED.name]).count_rows() >= malformed
        commit = load(kept.store).commit
        assert commit is not None
        assert commit.kind == "verify"


def test_what_the_service_lists_no_more_is_counted_and_kept(tmp_path: Path):
    """Rows that are in the archive alone are told of; the archive never takes away."""
    log = written(4, 500)
    with LogServer(log) as server, keeping(server, tmp_path) as kept:
        kept.sync(most=100_000)
        before = held(kept.store).num_rows
        log.visible_ms[100:130] = 2**62
        report = verified(kept)
        assert (report.only_here, report.added) == (30, 0)
        assert held(kept.store).num_rows == before


def test_only_what_is_remembered_is_pulled(tmp_path: Path):
    """The rest of the range is told as unverifiable; where nothing is left of it that is an error."""
    log = written(4, 500)
    settings = Settings(retention_ms=72 * HOUR_MS)
    with LogServer(log, settings, now_ms=int(log.time_ms[0])) as server, keeping(server, tmp_path) as kept:
        kept.wait(10 * HOUR_MS)
        kept.sync(most=100_000)
        ((begins_ms, ends_ms),) = load(kept.store).covered
        kept.wait(64 * HOUR_MS)
        report = verified(kept)
        assert report.unverifiable == (begins_ms, report.from_ms - 1)
        assert (report.from_ms, report.to_ms) == (kept.clock.now_ms() - 72 * HOUR_MS, ends_ms)
        assert report.only_here == 0
        kept.wait(10 * HOUR_MS)
        with pytest.raises(SettingsError, match="outside of its retention, and nothing was verified"):
            verified(kept)
        with pytest.raises(SettingsError, match="nothing to verify"):
            verified(kept, from_ms=ends_ms + 1)


def test_nothing_is_verified_that_has_not_happened(tmp_path: Path):
    """A range that is named into the future, by a clock that is ahead, ends now by the log's own."""
    log = written(4, 300)
    with LogServer(log, now_ms=int(log.time_ms[0])) as server, keeping(server, tmp_path) as kept:
        kept.wait(2 * HOUR_MS)
        kept.sync(most=100_000, to_ms=kept.clock.now_ms() - HOUR_MS)
        ahead = ManualClock(kept.clock.now_ms() + 50 * HOUR_MS)
        report = verify(kept.store, kept.source, ahead, to_ms=ahead.now_ms() + HOUR_MS)
        assert report.to_ms // 1_000 == kept.clock.now_ms() // 1_000
        assert load(kept.store).covered[-1][1] == report.to_ms


def test_a_verification_that_fails_has_verified_what_came_before(tmp_path: Path):
    """A service that breaks down in the middle fails it with its own error; the windows before are merged."""
    log = written(4, 2_000, late=0.3, latest_ms=2 * HOUR_MS)
    with LogServer(log, now_ms=int(log.time_ms[0])) as server, keeping(server, tmp_path) as kept:
        kept.wait(20 * HOUR_MS)
        kept.sync(most=100_000)
        before, since_ms = held(kept.store).num_rows, kept.clock.now_ms() - 2 * HOUR_MS
        kept.wait(3 * HOUR_MS)
        pull, windows = kept.source.entries, []

        def breaking(span: tuple[int, int], most: int | None) -> object:
            windows.append(span)
            if len(windows) == 3:
                server.face.settings = Settings(faults=Faults(refused=1.0))
            return pull(span, most)

        kept.source.entries = breaking  # type: ignore[method-assign, assignment]
        with pytest.raises(ServerFault, match="the log is busy"):
            verified(kept, from_ms=since_ms, most=1_000)
        assert held(kept.store).num_rows > before
        server.face.settings = Settings()
        verified(kept, from_ms=since_ms)
        to_ms = load(kept.store).covered[-1][1]
        assert_same_rows(held(kept.store), log.rows(server.face.visible() & (log.time_ms <= to_ms)))
