"""A log of 10 million lines, made in minutes: one block by the engine's core, and copies of it.

The block's messages go all the ways that messages go. What is rare, old or unlike any other is never copied, but lives
its life through the core each time.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection

from bench.engine.cast import Maker, old, rare, regular, single
from bench.engine.copies import Stretch, copy
from bench.engine.history import History
from qsops.clock import ManualClock, SystemClock, SystemIds
from qsops.engine.core.spans import widen
from qsops.engine.engine import open_engine

__all__ = ["LINES", "build"]

LINES = 10_000_000
_BLOCK = 5_000
_OLD = 100_000
_CANCELED = 50
_SINGLES = 100
#: A rare message comes with every tenth block.
_RARE_EACH = 10
#: Messages accepted together, and what lies between the end of one such group and the next.
_GROUP = 250
_PAUSE_MS = 2_000
#: Between two blocks there is time for what is not copied.
_BETWEEN_MS = 30_000
#: It ends well before now, and begins too late for any retention.
_AGO_MS = 7 * 86_400_000
_DELAY_MS = 10_000
_CACHE_KIB = 1_000_000


def build(path: Path, account_token: str, lines: int = LINES) -> None:
    """Make the engine's database ``path``, with at least ``lines`` lines for the account of ``account_token``."""
    account = _new(path, account_token)
    with _open_fast(path) as connection:
        history = History(connection, account, ManualClock(time.time_ns() // 1_000_000 - _AGO_MS))
        _live(history, old, 0, _OLD * lines // LINES)
        _cancel_some(history)
        began_ms, first = history.clock.now_ms(), _highest(connection, "messages") + 1
        _live(history, regular, 0, _BLOCK)
        stretch, number = Stretch(first, _highest(connection, "messages")), 0
        block_ms = history.clock.now_ms() - began_ms + _BETWEEN_MS
        while _highest(connection, "log") < lines:
            number += 1
            line = _highest(connection, "log")
            copy(connection, stretch, number * block_ms, f"_{number}")
            _note_times(connection, line + 1, _highest(connection, "log"))
            # Behind its end: times follow the order of the lines, as in a log that was written.
            history.clock.move_to(began_ms + (number + 1) * block_ms - _BETWEEN_MS)
            _live(history, single, number * _SINGLES, _SINGLES)
            if number % _RARE_EACH == 1:
                _live(history, rare, number, 1)


def _note_times(connection: Connection, first: int, last: int) -> None:
    """As the core does for each line that it writes."""
    sql = "select min(time_ms), max(time_ms) from log where seq between ? and ?"
    widen(connection, first, last, *connection.execute(sql, (first, last)).fetchone())


def _live(history: History, maker: Maker, first: int, count: int) -> None:
    for at in range(first, first + count, _GROUP):
        numbers = range(at, min(at + _GROUP, first + count))
        history.live([maker(number, history.new_id(), history.clock.now_ms()) for number in numbers])
        history.clock.advance(_PAUSE_MS)


def _cancel_some(history: History) -> None:
    """The only messages of the log that were taken back."""
    now_ms = history.clock.now_ms()
    taken = [old(2 * number + 1, history.new_id(), now_ms) for number in range(_CANCELED)]
    history.take([replace(message, not_before_ms=now_ms + _DELAY_MS) for message in taken])
    history.cancel([message.message_id for message in taken])
    history.run()


def _new(path: Path, token: str) -> int:
    """An engine's empty file; the number of the account of ``token``."""
    clock = SystemClock()
    engine = open_engine(path, clock=clock, ids=SystemIds(clock), quota="payg", wake=lambda: None)
    engine.database.close()
    account = engine.accounts.of_token(token)
    assert account is not None
    return account.number


@contextmanager
def _open_fast(path: Path) -> Iterator[Connection]:
    """The file in one transaction without a journal: what breaks off is thrown away."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    try:
        for pragma in ("journal_mode = off", "synchronous = off", f"cache_size = -{_CACHE_KIB}", "foreign_keys = off"):
            connection.execute(f"pragma {pragma}")
        connection.execute("begin")
        yield connection
        connection.execute("commit")
    finally:
        connection.close()


def _highest(connection: Connection, table: str) -> int:
    (seq,) = connection.execute(f"select max(seq) from {table}").fetchone()
    return int(seq or 0)


if __name__ == "__main__":
    from bench.engine.local import TOKEN

    build(Path(sys.argv[1]), TOKEN, int(sys.argv[2]) if len(sys.argv) > 2 else LINES)
