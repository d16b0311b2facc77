"""A backlog of 1,000,000 delayed messages: what it costs in memory, in speed and at the start.

``python -m bench.engine.backlog WHAT empty|full URL FILE``: memory (MB at the peak of a run), accept and deliver
(messages per second), start (ms from exec to the first answer). The backlog is built once a run, through the batch API,
and each contender opens it in turn; "empty" is the same engine on a new file.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bench.engine.accepting import accepted
from bench.engine.delivery import delivered
from bench.engine.figure import tell
from bench.engine.loader import load
from bench.engine.local import LocalEngine, engine
from bench.engine.process import ProcessFailed, memory_mb
from bench.engine.receiver import reset, with_receiver
from bench.engine.requests import batches
from bench.frame import Contender, Peer, PeerMissing, Row

__all__ = ["ROWS", "database", "with_backlog"]

MESSAGES = 1_000_000
_WEEK_S = 7 * 86_400
_DESTINATION = "https://consumer.example.com/hook"
#: A load holds so many, so that each stays within its time.
_PART = 100_000
_CONNECTIONS = 4
_DELIVER = 8_000
_ACCEPT = 40_000


@cache
def built() -> Path:
    """The database with the backlog, made on first use and removed when the benchmark ends.

    :raises PeerMissing: when the engine does not take it.
    """
    folder = Path(tempfile.mkdtemp(prefix="qsops-backlog-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    db = folder / "engine.db"
    print(f"building a backlog of {MESSAGES:,} messages …", file=sys.stderr, flush=True)
    try:
        with engine(db) as local:
            for first in range(0, MESSAGES, _PART):
                load(local.port, _CONNECTIONS, batches(_DESTINATION, first, _PART, spread_s=_WEEK_S)).expect(_PART)
    except ProcessFailed as error:
        raise PeerMissing(f"the backlog cannot be built: {error}") from error
    return db


def with_backlog() -> tuple[Sequence[str], Callable[[], None]]:
    """The receiver's URL and the backlog's file; how to end the former."""
    db = built()
    extra, end = with_receiver()
    return [*extra, str(db)], end


@contextmanager
def database(which: str, full: Path) -> Iterator[Path]:
    """The file with the backlog, or a new one that is gone after the context."""
    if which == "full":
        yield full
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "engine.db"


def memory(db: Path, url: str) -> tuple[float, str]:
    """The peak of an engine that starts over the backlog, accepts and delivers."""
    with engine(db) as local:
        reset(url)
        accepted(local, "batch", _ACCEPT)
        delivered(local, _DELIVER, url)
        now, peak = memory_mb(local.process.pid)
        return peak, f"peak {peak:.0f} MB, at the end {now:.0f} MB, {local.durability()}"


def accept(db: Path, _url: str) -> tuple[float, str]:
    """How fast more delayed messages are accepted."""
    with engine(db) as local:
        return accepted(local, "batch", _ACCEPT)


def deliver(db: Path, url: str) -> tuple[float, str]:
    """How fast messages that are due pass the backlog."""
    with engine(db) as local:
        reset(url)
        return delivered(local, _DELIVER, url)


def start(db: Path, _url: str) -> tuple[float, str]:
    """From exec to the first answer to an authenticated request. Made before if the file is new."""
    if not db.exists():
        with engine(db):
            pass
    begun_s = time.monotonic()
    with engine(db) as local:
        answers(local)
        return (time.monotonic() - begun_s) * 1000, ""


def answers(local: LocalEngine) -> None:
    """:raises ProcessFailed: when it does not tell its keys."""
    if b"current" not in local.get("/v2/keys"):
        raise ProcessFailed("GET /v2/keys does not tell the keys")


WHAT = {"memory": memory, "accept": accept, "deliver": deliver, "start": start}


def main(what: str, which: str, url: str, full: Path) -> None:
    """One measure."""
    with database(which, full) as db:
        tell(*WHAT[what](db, url))


def _row(title: str, unit: str, what: str, *, goal: float | None = None, limit: float | None = None) -> Row:
    empty = Peer(Contender("engine without backlog", "bench.engine.backlog", (what, "empty")), goal)
    return Row(
        title=f"engine: {title}, backlog of 1,000,000",
        unit=unit,
        ours=Contender("qsops engine", "bench.engine.backlog", (what, "full")),
        peers=(empty,),
        rounds=3,
        limit=limit,
        prepare=with_backlog,
    )


ROWS = (
    _row("resident memory at its peak", "MB", "memory", limit=150),
    _row("messages accepted in batches", "messages/s", "accept", goal=0.85),
    _row("publish to delivered", "messages/s", "deliver", goal=0.85),
    _row("start to first answer", "ms", "start", limit=1_000),
)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
