"""The retention guard and the gaps, held to a service that really forgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from qsops.archive.dead_letters import Listed, keep_dead_letters
from qsops.archive.delta import DeltaStore
from qsops.archive.guard import Expiry, deadlines
from qsops.archive.layout import LOGS
from qsops.archive.state import load
from qsops.archive.status import status
from qsops.clock import ManualClock, SystemClock
from qsops.errors import Corrupt
from qsops.models import DeadLetter, Message
from qsops.plans import PLANS
from tests.archiving.keeping import Kept, held, keeping
from tests.logserver import LogServer, Settings, written

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
RETENTION_MS = 3 * DAY_MS
#: A Thursday, 09:00.
BEGINS_MS = 1_767_258_000_000


def archived(kept: Kept, rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Which of the server's rows are in the archive, by time and message: the log has no doubles here."""
    there = {tuple(row.values()) for row in held(kept.store).select(["message_id", "time_ms", "state"]).to_pylist()}
    log = kept.server.face.log
    names = zip(log.table["message_id"].to_pylist(), log.time_ms.tolist(), log.table["state"].to_pylist(), strict=True)
    return rows & np.array([name in there for name in names])


@pytest.mark.parametrize(
    ("synced_after_h", "now_after_h", "every_h"),
    [(20, 56, 24), (30, 96, 24), (20, 80, 1), (30, 31, 24), (10, 90, 48)],
    ids=["stopped on friday", "stopped for days", "hourly, stopped", "just synced", "every other day"],
)
def test_the_guard_names_what_the_service_will_forget(
    tmp_path: Path, synced_after_h: int, now_after_h: int, every_h: int
):
    """Each entry that is lost if nobody syncs before the deadlines is named, and no other: precision and recall 1."""
    log = written(6, 3_000, days=5, begins_ms=BEGINS_MS)
    settings = Settings(retention_ms=RETENTION_MS)
    with LogServer(log, settings, now_ms=BEGINS_MS) as server, keeping(server, tmp_path) as kept:
        kept.wait(synced_after_h * HOUR_MS)
        kept.sync(most=100_000)
        kept.wait((now_after_h - synced_after_h) * HOUR_MS)
        found = status(kept.store, kept.clock, every_ms=every_h * HOUR_MS)
        named = np.zeros(len(log.time_ms), dtype=bool)
        for expiry in found.expiries:
            named |= (log.time_ms >= expiry.from_ms) & (log.time_ms <= expiry.to_ms)
        before = server.face.visible()
        last_ms = max(one.at_ms for one in deadlines(kept.clock.now_ms(), every_h * HOUR_MS))
        kept.wait(last_ms - kept.clock.now_ms())
        # What is listed now and not then is forgotten; what is not written yet cannot be.
        lost = before & ~server.face.visible()
        lost &= ~archived(kept, lost)
    precision = 1.0 if not named.any() else (named & lost).sum() / (named & before).sum()
    recall = 1.0 if not lost.any() else (named & lost).sum() / lost.sum()
    assert (precision, recall) == (1.0, 1.0), f"precision {precision:.3f}, recall {recall:.3f}"
    assert (named & before).any() == lost.any()
    assert lost.any() == (now_after_h - synced_after_h > 1)


def test_a_gap_that_the_service_has_forgotten_is_in_the_status(tmp_path: Path):
    """From the last millisecond that was archived to the first that was still there, and it stays."""
    log = written(6, 2_000, days=5, begins_ms=BEGINS_MS)
    settings = Settings(retention_ms=RETENTION_MS)
    with LogServer(log, settings, now_ms=BEGINS_MS) as server, keeping(server, tmp_path) as kept:
        kept.wait(10 * HOUR_MS)
        kept.sync(most=100_000)
        archived_ms = kept.clock.now_ms()
        kept.wait(90 * HOUR_MS)
        report = kept.sync(most=100_000)
        found = status(kept.store, kept.clock)
        gap = (archived_ms + 1, kept.clock.now_ms() - RETENTION_MS - 1)
        assert found.forgotten == report.forgotten == (gap,)
        assert found.pending == ()
        kept.wait(DAY_MS)
        kept.sync(most=100_000)
        assert status(kept.store, kept.clock).forgotten == (gap,)
        assert status(kept.store, kept.clock, since_ms=gap[1] + 1).is_well


def test_dead_letters_that_can_soon_be_retried_no_more(tmp_path: Path):
    """Those of the DLQ that the plan forgets before the next working day, counted; not those that are gone already."""
    log = written(6, 9_000, days=1, begins_ms=BEGINS_MS)
    settings = Settings(retention_ms=RETENTION_MS)
    with LogServer(log, settings, now_ms=BEGINS_MS + 120 * HOUR_MS) as server, keeping(server, tmp_path) as kept:
        found = kept.letters()
        keep_dead_letters(kept.store, kept.clock, found, bodies=False)
        # The newest is retried meanwhile, and the archive has seen it.
        server.face.dead.take_away(found.letters[0].dlq_id)
        keep_dead_letters(kept.store, kept.clock, kept.letters(), bodies=False)
        expiries = [one for one in status(kept.store, kept.clock).expiries if one.what == "dead_letters"]
        listed = len(server.face.dead.listed(server.now_ms))
        kept.wait(expiries[-1].before_ms - kept.clock.now_ms())
        lost = listed - len(server.face.dead.listed(server.now_ms))
        kept.wait(RETENTION_MS)
        assert not any(one.what == "dead_letters" for one in status(kept.store, kept.clock).expiries)
    assert sum(one.count or 0 for one in expiries) == lost > 2


@pytest.mark.parametrize(("plan", "days"), [("free", 3), ("payg", 7), ("fixed_1m", 30), ("fixed_10m", 89)])
def test_each_plan_remembers_its_dead_letters_for_its_own_time(tmp_path: Path, plan: str, days: int):
    """One that is forgotten within the hour is named before the next sync; an hour after that it is gone."""
    letter = DeadLetter(f"{BEGINS_MS}-1", Message("msg_1", "https://one.example", BEGINS_MS, BEGINS_MS))
    store, clock = DeltaStore(str(tmp_path), SystemClock()), ManualClock(BEGINS_MS)
    keep_dead_letters(store, clock, Listed((letter,)), bodies=False)
    clock.advance(days * DAY_MS - HOUR_MS // 2)

    def expiries() -> list[Expiry]:
        found = status(store, clock, plan=PLANS[plan], every_ms=HOUR_MS).expiries
        return [one for one in found if one.what == "dead_letters"]

    (expiry,) = expiries()
    assert (expiry.before, expiry.count) == ("the next sync", 1)
    assert expiry.first_ms == BEGINS_MS + days * DAY_MS
    clock.advance(HOUR_MS)
    assert expiries() == []


def test_rows_that_are_not_those_of_the_commit_are_told(tmp_path: Path):
    """The rows are counted in the files: one that was written anew with fewer of them is no part of the archive."""
    with LogServer(written(6, 100)) as server, keeping(server, tmp_path) as kept:
        kept.sync(most=100_000)
        (uri,) = load(kept.store).tables[LOGS.name].uris
        pq.write_table(pq.ParquetFile(uri).read().slice(1), uri)
        with pytest.raises(Corrupt, match=r"table 'logs' has \d+ rows where \d+ were committed"):
            status(kept.store, kept.clock)
