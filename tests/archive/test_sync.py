"""What a sync brings into an archive, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qsops import frames
from qsops.archive.layout import ATTEMPTS, LOGS, MALFORMED, MESSAGES
from qsops.archive.source import Pulled
from qsops.archive.state import load
from qsops.archive.store import File
from qsops.archive.syncing import RETENTION_MS, sync
from qsops.clock import EPOCH_MS, ManualClock
from qsops.errors import SettingsError, Unreachable
from qsops.models import LogEntry
from tests.archive.fakelog import FakeLog, Told, assert_whole, rows
from tests.archive.plain import PlainStore
from tests.fold.story import Story

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(EPOCH_MS + 10 * DAY_MS)


@pytest.fixture
def store(tmp_path: Path) -> PlainStore:
    return PlainStore(tmp_path)


def _story(number: int, at_ms: int, ending: str = "delivered", wait_ms: int = MINUTE_MS) -> list[LogEntry]:
    return Story(f"msg_{number}", at_ms, ((5, 100, 503), (wait_ms, 40, 200)), ending).entries()


def test_first_sync(store: PlainStore, clock: ManualClock) -> None:
    """Unless told otherwise, an archive begins with the oldest entry that is remembered, and goes up to now."""
    begin_ms = clock.now_ms() - 7 * DAY_MS
    log = FakeLog.of(clock, _story(1, begin_ms) + _story(2, begin_ms + 6 * DAY_MS))
    report = sync(store, log, clock)
    assert (report.from_ms, report.to_ms) == (begin_ms, clock.now_ms())
    assert (report.entries, report.added, report.forgotten) == (12, 12, ())
    assert load(store).covered == ((begin_ms, clock.now_ms()),)
    assert_whole(store, log.listed())


def test_nothing_new(store: PlainStore, clock: ManualClock) -> None:
    """A second sync at the same time pulls the last minutes only, writes nothing, and says so."""
    log = FakeLog.of(clock, _story(1, clock.now_ms() - HOUR_MS) + _story(2, clock.now_ms() - 3 * MINUTE_MS))
    sync(store, log, clock)
    before, log.asked[:] = load(store), []
    report = sync(store, log, clock)
    assert (report.entries, report.added, report.commit) == (6, 0, None)
    assert log.asked == [(clock.now_ms() - 10 * MINUTE_MS + 1, clock.now_ms())]
    assert load(store) == before


def test_range_is_cut(store: PlainStore, clock: ManualClock) -> None:
    """A window holds no more entries than it may, but for a millisecond, which is not cut."""
    crowd = [LogEntry(EPOCH_MS + DAY_MS, f"msg_{n}", "CREATED") for n in range(30)]
    log = FakeLog.of(clock, crowd + [entry for n in range(20) for entry in _story(100 + n, EPOCH_MS + n * 2 * HOUR_MS)])
    report = sync(store, log, clock, from_ms=EPOCH_MS, most=20)
    assert report.windows > 150 // 20
    assert (EPOCH_MS + DAY_MS, EPOCH_MS + DAY_MS) in log.asked
    assert_whole(store, log.listed())


def test_earlier_range_comes_later(store: PlainStore, clock: ManualClock) -> None:
    """What is pulled of an earlier range completes the messages that began there."""
    begin_ms = clock.now_ms() - DAY_MS
    log = FakeLog.of(clock, _story(1, begin_ms, wait_ms=HOUR_MS) + _story(2, begin_ms, "waiting", HOUR_MS))
    log.heads = lambda _ids, _before_ms: frames.entries([])  # type: ignore[method-assign]
    sync(store, log, clock, from_ms=begin_ms + MINUTE_MS)
    assert rows(store, ATTEMPTS)["attempt"].null_count == 2
    sync(store, log, clock, from_ms=begin_ms)
    assert_whole(store, log.listed())
    assert sorted(rows(store, ATTEMPTS)["attempt"].to_pylist()) == [1, 1, 2, 2]


def test_clocks_that_are_apart(store: PlainStore, clock: ManualClock) -> None:
    """What another machine has dated before the CREATED that it follows is of the same message, wherever it is cut."""
    at_ms = clock.now_ms()
    states = [(0, "ACTIVE"), (1, "DELIVERED"), (MINUTE_MS, "CREATED"), (HOUR_MS, "CANCELED")]
    log = FakeLog.of(clock, [LogEntry(at_ms + ms, "msg_1", state) for ms, state in states])
    for ms in (1, MINUTE_MS, HOUR_MS):
        clock.advance(at_ms + ms - clock.now_ms())
        sync(store, log, clock, from_ms=at_ms)
        assert_whole(store, log.listed())


def _finished(store: PlainStore) -> list[File]:
    """The files of what is settled."""
    tables = load(store).tables
    return [file for layout in (ATTEMPTS, MESSAGES) for file in tables[layout.name].parted(open=False).files]


def test_what_changes_is_written_again_alone(store: PlainStore, clock: ManualClock) -> None:
    """A second delivery of a finished message replaces the files that have it, and leaves the others."""
    now_ms = clock.now_ms()
    again = LogEntry(now_ms + HOUR_MS, "msg_1", "DELIVERED")
    log = FakeLog.of(clock, [*_story(1, now_ms - HOUR_MS), *_story(2, now_ms + MINUTE_MS), again])
    sync(store, log, clock)
    with_it = _finished(store)
    clock.advance(30 * MINUTE_MS)
    sync(store, log, clock)
    without_it = [file for file in _finished(store) if file not in with_it]
    clock.advance(HOUR_MS)
    sync(store, log, clock)
    assert not set(with_it) & set(_finished(store))
    assert set(without_it) < set(_finished(store))
    assert_whole(store, log.listed())


def test_what_changes_nothing_is_not_written_again(store: PlainStore, clock: ManualClock) -> None:
    """A word about a finished message that tells nothing new leaves all finished rows in the files that they have."""
    now_ms = clock.now_ms()
    log = FakeLog.of(clock, [*_story(1, now_ms - HOUR_MS), LogEntry(now_ms + MINUTE_MS, "msg_1", "CANCELED")])
    sync(store, log, clock)
    before = _finished(store)
    clock.advance(HOUR_MS)
    assert sync(store, log, clock).added == 1
    assert _finished(store) == before != []
    assert_whole(store, log.listed())


def test_a_clock_that_is_ahead(store: PlainStore, clock: ManualClock) -> None:
    """It covers nothing that has not happened yet: a later sync would not look for it."""
    log = FakeLog.of(clock, [entry for n in range(4) for entry in _story(n, clock.now_ms() + n * HOUR_MS)])
    clock.advance(HOUR_MS)
    sync(store, log, ManualClock(clock.now_ms() + 5 * DAY_MS))
    assert load(store).covered[-1][1] == clock.now_ms()
    clock.advance(3 * HOUR_MS)
    sync(store, log, clock)
    assert_whole(store, log.listed())


def test_only_what_lacks_is_pulled(store: PlainStore, clock: ManualClock) -> None:
    """Of a longer range the parts are pulled that are not there, and the last minutes before them."""
    now_ms = clock.now_ms()
    log = FakeLog.of(clock, _story(1, now_ms - 5 * HOUR_MS))
    sync(store, log, clock, from_ms=now_ms - 4 * HOUR_MS, to_ms=now_ms - 3 * HOUR_MS)
    log.asked.clear()
    sync(store, log, clock, from_ms=now_ms - 5 * HOUR_MS, lateness_ms=MINUTE_MS)
    asked = {at_ms for first_ms, last_ms in log.asked for at_ms in (first_ms, last_ms)}
    inner = range(now_ms - 4 * HOUR_MS, now_ms - 3 * HOUR_MS - MINUTE_MS + 1)
    assert not asked & set(inner)
    assert load(store).covered == ((now_ms - 5 * HOUR_MS, now_ms),)


def test_late_entry(store: PlainStore, clock: ManualClock) -> None:
    """What is listed ten minutes after its time is caught by the next sync; what comes later is left to verify."""
    now_ms, in_time, too_late = clock.now_ms(), 10 * MINUTE_MS, 10 * MINUTE_MS + 1
    story = _story(1, now_ms - HOUR_MS)
    lates = [LogEntry(now_ms + 1 - delay, f"msg_{delay}", "CREATED") for delay in (in_time, too_late)]
    log = FakeLog(clock, [Told(one, one.time_ms) for one in story] + [Told(one, now_ms + 1) for one in lates])
    sync(store, log, clock)
    clock.advance(DAY_MS)
    sync(store, log, clock)
    assert_whole(store, [*story, lates[0]])


def test_heads(store: PlainStore, clock: ManualClock) -> None:
    """Of messages that began before the archive their beginning is fetched, once; what is forgotten stays null."""
    begin_ms = clock.now_ms() - 2 * HOUR_MS
    kept, lost = _story(1, begin_ms, wait_ms=HOUR_MS), _story(2, begin_ms, wait_ms=HOUR_MS)[3:]
    log = FakeLog.of(clock, kept + lost)
    report = sync(store, log, clock, from_ms=begin_ms + MINUTE_MS)
    assert log.heads_asked == ["msg_1", "msg_2"]
    assert report.added == len(kept) + len(lost)
    attempts = rows(store, ATTEMPTS).sort_by("started_ms").to_pylist()
    assert [one["attempt"] for one in attempts if one["message_id"] == "msg_1"] == [1, 2]
    assert [one["attempt"] for one in attempts if one["message_id"] == "msg_2"] == [None]
    clock.advance(HOUR_MS)
    sync(store, log, clock)
    assert len(log.heads_asked) == 2


def test_heads_that_nobody_asked_for(store: PlainStore, clock: ManualClock) -> None:
    """A service that passes over a filter tells more than that: none of it comes in twice, or out of its range."""
    begin_ms = clock.now_ms() - 2 * HOUR_MS
    began, other = _story(1, begin_ms, wait_ms=HOUR_MS), _story(2, begin_ms)
    log = FakeLog.of(clock, began + other)
    log.heads = lambda _ids, _before_ms: frames.entries(log.listed())  # type: ignore[method-assign]
    sync(store, log, clock, from_ms=begin_ms + 30 * MINUTE_MS)
    assert_whole(store, began)


def test_no_heads_before_everything(store: PlainStore, clock: ManualClock) -> None:
    """Nobody asks for what came before the oldest entry that is remembered: there is nothing."""
    log = FakeLog.of(clock, _story(1, clock.now_ms() - 5 * DAY_MS)[2:])
    sync(store, log, clock)
    assert log.heads_asked == []
    assert rows(store, MESSAGES)["attempts"].to_pylist() == [None]


def test_bodies(store: PlainStore, clock: ManualClock) -> None:
    """Texts are kept where they were asked for, as they came: what was redacted stays so."""
    begin_ms = clock.now_ms() - HOUR_MS
    entries = [
        replace(entry, body=b"REDACTED:4f2a", headers=(("Order", "7"),), response_body=b"pool 7 is full")
        for entry in _story(1, begin_ms)
    ]
    sync(store, FakeLog.of(clock, entries, bodies=True), clock)
    clock.advance(HOUR_MS)
    later = [replace(entry, body=b"secret") for entry in _story(2, begin_ms + HOUR_MS)]
    sync(store, FakeLog.of(clock, entries + later), clock)
    logs = rows(store, LOGS)
    assert set(logs["body"].to_pylist()) == {"REDACTED:4f2a", None}
    assert set(logs["headers"].to_pylist()) == {"Order: 7", None}
    attempts = {
        (one["message_id"], one["outcome"]): one["body_fingerprint"] for one in rows(store, ATTEMPTS).to_pylist()
    }
    assert attempts["msg_1", "error"] == "pool # is full"
    assert attempts["msg_2", "error"] is None


def test_malformed(store: PlainStore, clock: ManualClock) -> None:
    """What is no entry is kept aside and counted, once however often it is met; the rest goes on."""
    begin_ms = clock.now_ms() - HOUR_MS
    junk = [(begin_ms, "null"), (begin_ms, "17"), (clock.now_ms() - 1, "17"), (clock.now_ms() - 1, '{"state":"X"}')]
    log = FakeLog.of(clock, _story(1, begin_ms), malformed=junk)
    assert sync(store, log, clock).malformed == 4
    assert sync(store, log, clock).malformed == 0
    assert sorted(rows(store, MALFORMED)["raw"].to_pylist()) == sorted(raw for _, raw in junk)
    assert_whole(store, log.listed())


def test_forgotten(store: PlainStore, clock: ManualClock) -> None:
    """What the service no longer remembers is told of, and is not covered; all of the rest is."""
    begin_ms = clock.now_ms()
    log = FakeLog.of(clock, _story(1, begin_ms - HOUR_MS), retention_ms=RETENTION_MS)
    sync(store, log, clock)
    clock.advance(5 * DAY_MS)
    least_ms = clock.now_ms() - RETENTION_MS
    report = sync(store, log, clock)
    assert report.forgotten == ((begin_ms + 1, least_ms - 1),)
    assert load(store).covered[1:] == ((least_ms, clock.now_ms()),)


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [(-9 * DAY_MS, -8 * DAY_MS, "outside of its retention"), (DAY_MS, None, "is after"), (-1, -2, "is after")],
)
def test_refused_ranges(store: PlainStore, clock: ManualClock, since: int, until: int | None, told: str) -> None:
    """A range that is forgotten as a whole, or has not begun, is one line, and nothing is written."""
    log = FakeLog.of(clock, _story(1, clock.now_ms() - 9 * DAY_MS), retention_ms=RETENTION_MS)
    to_ms = None if until is None else clock.now_ms() + until
    with pytest.raises(SettingsError, match=told):
        sync(store, log, clock, from_ms=clock.now_ms() + since, to_ms=to_ms)
    assert load(store).commit is None


def test_page_is_lost(store: PlainStore, clock: ManualClock) -> None:
    """If a window cannot be pulled, those before it are in the archive, and the next sync goes on from there."""
    begin_ms = clock.now_ms() - 2 * HOUR_MS
    log = FakeLog.of(clock, _story(1, begin_ms) + _story(2, begin_ms + HOUR_MS))
    whole, asked = log.entries, []

    def entries(span: tuple[int, int], most: int | None) -> Pulled:
        asked.append(span)
        if span[1] >= begin_ms + HOUR_MS and len(asked) < 9:
            raise Unreachable("no network")
        return whole(span, most)

    log.entries = entries  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        sync(store, log, clock, from_ms=begin_ms)
    assert set(rows(store, MESSAGES)["message_id"].to_pylist()) == {"msg_1"}
    asked += [(0, 0)] * 9
    sync(store, log, clock)
    assert_whole(store, log.listed())
