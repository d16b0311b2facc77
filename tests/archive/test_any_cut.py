"""Wherever windows are cut, and however late entries are listed: the archive is what was served."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from qsops.archive.syncing import sync
from qsops.clock import EPOCH_MS, ManualClock
from tests.archive.fakelog import FakeLog, Told, assert_consistent, assert_whole
from tests.archive.plain import PlainStore
from tests.examples import some
from tests.fold.story import Story

LATENESS_MS = 20
_NEVER_MS = 10_000


@dataclass(frozen=True)
class Course:
    """A log and how it is synced: after so many milliseconds each, with at most so many entries a window."""

    told: tuple[Told, ...]
    steps_ms: tuple[int, ...]
    most: int


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Messages that begin, fail, end, are canceled and twice delivered across the cuts."""
    told: list[Told] = []
    attempt = st.tuples(st.integers(0, 40), st.integers(0, 10), st.sampled_from([429, 500]))
    for number in range(draw(st.integers(1, 3))):
        story = Story(
            f"msg_{number}",
            EPOCH_MS + draw(st.integers(1, 60)),
            tuple(draw(st.lists(attempt, min_size=1, max_size=3))),
            draw(st.sampled_from(["delivered", "failed", "canceled", "waiting", "flying"])),
        )
        for entry in story.entries():
            again = draw(st.sampled_from([0, 0, 0, 0, 1]))
            told += [
                Told(one, one.time_ms + draw(st.integers(0, LATENESS_MS)))
                for one in [entry, replace(entry, error="once more")][: 1 + again]
            ]
    steps = draw(st.lists(st.integers(1, 70), min_size=1, max_size=4))
    return Course(tuple(told), tuple(steps), draw(st.sampled_from([5, 1000])))


@settings(max_examples=some(6))
@given(courses())
def test_any_cut(course: Course) -> None:
    """Synced at any times and by any windows, each entry is there once, and all else follows from the entries."""
    clock = ManualClock(EPOCH_MS)
    log = FakeLog(clock, course.told)
    with tempfile.TemporaryDirectory() as folder:
        store = PlainStore(Path(folder))
        for step_ms in course.steps_ms:
            clock.advance(step_ms)
            sync(store, log, clock, from_ms=EPOCH_MS, lateness_ms=LATENESS_MS, most=course.most)
            assert_consistent(store)
        clock.advance(_NEVER_MS)
        sync(store, log, clock, from_ms=EPOCH_MS, lateness_ms=LATENESS_MS, most=course.most)
        assert_whole(store, log.listed())
