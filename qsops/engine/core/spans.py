"""Spans of the log: the times of each so many lines, by which a listing between two dates knows where to begin and end.

The order of the log is that of its commits, and only nearly that of time. Kept by whoever writes lines, and not by a
trigger, which would take longer than the line.
"""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

__all__ = ["first_line", "last_line", "widen"]

#: How many lines share a span, as a shift.
_SHIFT: Final = 12

_WIDEN: Final = """
    insert into log_spans (span, from_ms, to_ms) values (?, ?, ?)
    on conflict (span) do update set from_ms = min(from_ms, excluded.from_ms), to_ms = max(to_ms, excluded.to_ms)
    where excluded.from_ms < from_ms or excluded.to_ms > to_ms
"""
_FIRST: Final = "select min(span) from log_spans where to_ms >= ?"
_LAST: Final = "select max(span) from log_spans where from_ms <= ?"


def widen(connection: Connection, first: int, last: int, from_ms: int, to_ms: int) -> None:
    """The lines ``first`` to ``last`` were written, of times within ``from_ms`` and ``to_ms``."""
    spans = range(first >> _SHIFT, (last >> _SHIFT) + 1)
    connection.executemany(_WIDEN, [(span, from_ms, to_ms) for span in spans])


def first_line(connection: Connection, from_ms: int) -> int | None:
    """A line before which none is of ``from_ms`` or later; None if none is."""
    (span,) = connection.execute(_FIRST, (from_ms,)).fetchone()
    return None if span is None else span << _SHIFT


def last_line(connection: Connection, to_ms: int) -> int | None:
    """A line behind which none is of ``to_ms`` or earlier; None if none is."""
    (span,) = connection.execute(_LAST, (to_ms,)).fetchone()
    return None if span is None else ((span + 1) << _SHIFT) - 1
