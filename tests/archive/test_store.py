"""What every store does, wherever its tables lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from qsops.archive.layout import MALFORMED, MESSAGES
from qsops.archive.state import Change, State, amend, load
from qsops.archive.store import Overtaken, Part, Snapshot, Store
from qsops.archive.syncing import sync
from qsops.clock import EPOCH_MS, ManualClock
from qsops.errors import QsopsError
from tests.archive.fakelog import assert_whole
from tests.archive.killed import END_MS, log_at
from tests.archive.plain import PlainStore


def _part(*numbers: int) -> Part:
    rows = [{"seen_ms": number, "raw": f"entry {number}", "seq": 0} for number in numbers]
    return Part(pa.Table.from_pylist(rows, schema=MALFORMED.schema))


def _finished(ids: Sequence[str], *, open: bool) -> Part:
    rows = [{"message_id": one, "finished_ms": None if open else 5} for one in ids]
    return Part(pa.Table.from_pylist(rows, schema=MESSAGES.schema), open=open)


def _numbers(store: Store, snapshot: Snapshot | None) -> list[int]:
    assert snapshot is not None
    return sorted(store.dataset(snapshot).to_table()["seen_ms"].to_pylist())


def test_versions(any_store: Store) -> None:
    """A version holds what its base held, without what was removed and with what was added; the base stays."""
    assert any_store.snapshot(MALFORMED) is None
    one = any_store.put(MALFORMED, None, [_part(1, 2), _part(3)])
    two = any_store.put(MALFORMED, one, [_part(4)], [one.files[0]])
    assert _numbers(any_store, two) == [3, 4]
    assert _numbers(any_store, one) == [1, 2, 3]
    for known in (one, two):
        again = any_store.snapshot(MALFORMED, known.version)
        assert again is not None
        assert (again.version, set(again.files)) == (known.version, set(known.files))
    latest = any_store.snapshot(MALFORMED)
    assert latest is not None
    assert (latest.version, latest.rows) == (two.version, 2)


def test_unfinished_work_above(any_store: Store) -> None:
    """What somebody wrote on the same base and did not commit is not in the next version, and stays in its own."""
    base = any_store.put(MALFORMED, None, [_part(1)])
    theirs = any_store.put(MALFORMED, base, [_part(2)], base.files)
    ours = any_store.put(MALFORMED, base, [_part(3)])
    assert _numbers(any_store, ours) == [1, 3]
    assert _numbers(any_store, any_store.snapshot(MALFORMED)) == [1, 3]
    assert _numbers(any_store, theirs) == [2]


def test_only_one_advances(any_store: Store) -> None:
    """Of all who have read a version one may follow it; the others are told, and nothing of theirs is there."""
    first = any_store.advance(MALFORMED, None, [_part(1)])
    with pytest.raises(Overtaken):
        any_store.advance(MALFORMED, None, [_part(2)])
    any_store.advance(MALFORMED, first, [_part(3)])
    with pytest.raises(Overtaken):
        any_store.advance(MALFORMED, first, [_part(4)])
    assert _numbers(any_store, any_store.snapshot(MALFORMED)) == [1, 3]


def test_races(any_store: Store) -> None:
    """Of those that advance at the same moment, each is told whether it was the one."""

    def run(number: int) -> int:
        won = 0
        for turn in range(4):
            try:
                any_store.advance(MALFORMED, any_store.snapshot(MALFORMED), [_part(10 * number + turn)])
            except Overtaken:
                continue
            won += 1
        return won

    any_store.advance(MALFORMED, None, [_part(0)])
    with ThreadPoolExecutor() as pool:
        won = sum(pool.map(run, range(1, 4)))
    assert won >= 4
    assert len(_numbers(any_store, any_store.snapshot(MALFORMED))) == 1 + won


def test_overtaken_while_it_writes(any_store: Store) -> None:
    """Whoever is overtaken between its look and its commit is told, and nothing of its rows is there."""
    base = any_store.advance(MALFORMED, None, [_part(0)])

    def rows() -> Iterator[Part]:
        any_store.advance(MALFORMED, base, [_part(1)])
        yield _part(2)

    with pytest.raises(Overtaken):
        any_store.advance(MALFORMED, base, rows())
    assert _numbers(any_store, any_store.snapshot(MALFORMED)) == [0, 1]


def test_a_change_begins_anew(any_store: Store) -> None:
    """A step that another commit has overtaken is done again on top of that, and is in the archive after it."""
    clock, met = ManualClock(), list[int | None]()

    def change(state: State) -> Change:
        met.append(state.commit.number if state.commit else None)
        if len(met) == 1:
            amend(any_store, clock, "sync", lambda _: Change({}, covered=((1, 2),)))
        return Change({}, covered=(*state.covered, (5, 6)))

    commit = amend(any_store, clock, "sync", change)
    assert met == [None, 0]
    assert load(any_store).commit == commit
    assert load(any_store).covered == ((1, 2), (5, 6))


def test_a_change_that_is_always_overtaken(tmp_path: Path) -> None:
    """After 50 turns it is an error, and nothing of it is there."""
    store, clock = PlainStore(tmp_path), ManualClock()

    def change(_: State) -> Change:
        amend(store, clock, "other", lambda _: Change({}))
        return Change({}, covered=((5, 6),))

    with pytest.raises(QsopsError, match="50 other commits came first: let fewer syncs run at once"):
        amend(store, clock, "sync", change)
    assert load(store).covered == ()


def test_parts(any_store: Store) -> None:
    """Rows of unfinished messages lie in files of their own; no rows make no file."""
    both = any_store.put(MESSAGES, None, [_finished(["a"], open=True), _finished(["b", "c"], open=False)])
    assert [both.parted(open=True).rows, both.parted(open=False).rows] == [1, 2]
    again = any_store.snapshot(MESSAGES)
    assert again is not None
    assert any_store.dataset(again.parted(open=True)).to_table()["message_id"].to_pylist() == ["a"]
    none = any_store.put(MESSAGES, both, [_finished([], open=True)], both.files)
    assert (none.files, any_store.dataset(none).to_table().num_rows) == ((), 0)


def test_ranges(any_store: Store) -> None:
    """A file tells the range of its times, if all of its rows have one, and reads by time find all rows."""
    snapshot = any_store.put(MALFORMED, None, [_part(1, 9), _part(20, 30)])
    assert [(file.least, file.most) for file in snapshot.files] == [(1, 9), (20, 30)]
    late = any_store.dataset(snapshot).to_table(filter=pc.field("seen_ms") >= 9)
    assert sorted(late["seen_ms"].to_pylist()) == [9, 20, 30]
    unknown = any_store.put(MESSAGES, None, [_finished(["a"], open=True)])
    assert [(file.least, file.most) for file in unknown.files] == [(None, None)]


def test_sweep(any_store: Store) -> None:
    """What neither the latest version nor a kept one needs is deleted, and nothing else."""
    one = any_store.put(MALFORMED, None, [_part(1), _part(2)])
    two = any_store.put(MALFORMED, one, [_part(3)], [one.files[0]])
    three = any_store.put(MALFORMED, two, [_part(4)], [one.files[1]])
    assert any_store.sweep(MALFORMED, [two], 0) == 1
    assert _numbers(any_store, two) == [2, 3]
    assert _numbers(any_store, three) == [3, 4]


def test_sync(any_store: Store) -> None:
    """A log is archived alike everywhere."""
    log = log_at(END_MS)
    sync(any_store, log, log.clock, from_ms=EPOCH_MS)
    assert_whole(any_store, log.listed())
