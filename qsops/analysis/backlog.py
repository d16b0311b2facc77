"""How many messages were on their way, over time."""

from __future__ import annotations

from typing import Any, Final

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from qsops.analysis import source

__all__ = ["backlog"]

_MOST_ROWS: Final = 100_000
_EVENTS: Final = ("created", "finished", "started", "ended")


def backlog(messages: source.Rows, attempts: source.Rows, every: str = "1min") -> pd.DataFrame:
    """Messages that were accepted and not finished at each moment, a row ``every`` so often.

    Columns ``at, pending, in_flight, waiting``: of the ``pending`` ones so many had an attempt ``in_flight``, the
    others were ``waiting`` for their time, a retry or a limit. The first moment is not after the first message, the
    last one not before the last that is known of. ``every`` is a width as pandas spells it (``1min``, ``1h``).

    Limits: messages whose creation is not known are left out, and so are their attempts; an attempt whose end was never
    written, though something followed, was in flight at no moment.

    :raises ValueError: when that were over 100,000 rows, or ``every`` is no width of time.
    """
    width = source.width_ms(every)
    known = source.of(messages, "message_id", "created_ms", "finished_ms")
    tried = source.of(attempts, "message_id", "outcome", "started_ms", "ended_ms")
    counts = _counts(known, tried, width)
    if counts.empty:
        ticks = np.zeros(0, dtype=np.int64)
    else:
        first = int(counts.loc[counts["event"] == "created", "first_ms"].min()) // width
        last = int(counts["tick_ms"].max()) // width
        if last - first > _MOST_ROWS:
            raise ValueError(f"every={every!r} makes over {_MOST_ROWS:,} rows: name a wider one")
        ticks = np.arange(first, last + 1) * width
    so_far = {event: _so_far(counts[counts["event"] == event], ticks) for event in _EVENTS}
    pending = so_far["created"] - so_far["finished"]
    in_flight = np.minimum(so_far["started"] - so_far["ended"], pending)
    columns = {"pending": pending, "in_flight": in_flight, "waiting": pending - in_flight}
    at = source.moments(pd.Series(ticks))
    return pd.DataFrame({"at": at, **{name: pd.array(count, "Int64") for name, count in columns.items()}})


def _counts(messages: Any, attempts: Any, width: int) -> pd.DataFrame:
    """How many of each event came until a tick and after the one before: ``event, tick_ms, first_ms, events``."""
    known = messages.filter(messages.created_ms.notnull())
    tried = attempts.filter(
        attempts.started_ms.notnull() & (attempts.ended_ms.notnull() | (attempts.outcome == "in flight"))
    )
    # Either may have been filtered: an attempt of a message that is not among these is none of theirs.
    tried = tried.semi_join(known, "message_id")
    times = (known.created_ms, known.finished_ms, tried.started_ms, tried.ended_ms)
    events = ibis.union(
        *(
            rows.select(event=ibis.literal(event), at_ms=time)
            for rows, event, time in zip((known, known, tried, tried), _EVENTS, times, strict=True)
        )
    )
    events = events.filter(events.at_ms.notnull())
    late = events.at_ms + (width - 1)
    by_tick = events.mutate(tick_ms=late - late % width).group_by(["event", "tick_ms"])
    found = by_tick.agg(first_ms=ibis._.at_ms.min(), events=ibis._.count())
    # One more would be over the limit of rows as well, whichever these are.
    return source.frame_of(found.limit(len(_EVENTS) * (_MOST_ROWS + 1) + 1))


def _so_far(counts: pd.DataFrame, ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    found = np.zeros(len(ticks), dtype=np.int64)
    at = np.searchsorted(ticks, counts["tick_ms"].to_numpy(dtype=np.int64))
    # What came before the first moment, by another clock, is all counted there.
    np.add.at(found, at, counts["events"].to_numpy(dtype=np.int64))
    return np.cumsum(found)
