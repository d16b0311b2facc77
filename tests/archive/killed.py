"""A sync in a process of its own, which kills itself: ``python -m tests.archive.killed FOLDER STEP``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from qsops.archive.syncing import sync
from qsops.clock import EPOCH_MS, ManualClock
from tests.archive.fakelog import FakeLog, Told
from tests.archive.steps import Stepping
from tests.fold.story import Story

__all__ = ["END_MS", "HALF_MS", "MOST", "begun", "log_at"]

_MINUTE_MS = 60_000
HALF_MS = EPOCH_MS + 12 * _MINUTE_MS
END_MS = EPOCH_MS + 30 * _MINUTE_MS
MOST = 100
_ENDINGS = ("delivered", "failed", "canceled", "waiting", "flying")


def log_at(at_ms: int) -> FakeLog:
    """A log of 24 messages that end in every way, as it is listed at a time; every fifth entry is a minute late."""
    stories = [
        Story(
            f"msg_{number}",
            EPOCH_MS + 1 + number * _MINUTE_MS,
            ((3, 40, 503), (_MINUTE_MS * (number % 4), 50, 500)),
            _ENDINGS[number % len(_ENDINGS)],
        )
        for number in range(24)
    ]
    entries = [entry for story in stories for entry in story.entries()]
    told = [Told(entry, entry.time_ms + _MINUTE_MS * (place % 5 == 0)) for place, entry in enumerate(entries)]
    return FakeLog(ManualClock(at_ms), told, malformed=[(EPOCH_MS + 5, "null"), (HALF_MS + 5, "17")])


def begun(folder: Path) -> None:
    """An archive of the first half."""
    log = log_at(HALF_MS)
    sync(Stepping(folder, lambda _: None), log, log.clock, from_ms=EPOCH_MS, most=MOST)


def main(folder: str, step: str) -> None:
    """Sync the rest, as far as the process lives."""

    def meet(number: int) -> None:
        if number == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    log = log_at(END_MS)
    sync(Stepping(Path(folder), meet), log, log.clock, from_ms=EPOCH_MS, most=MOST)


if __name__ == "__main__":
    main(*sys.argv[1:])
