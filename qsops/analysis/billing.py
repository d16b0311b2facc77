"""What is billed, day by day, under each reading of what a retry costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from qsops.analysis import source
from qsops.plans import DAY_MS, READINGS

if TYPE_CHECKING:
    from qsops.analysis.source import Rows

__all__ = ["Billed", "billed", "billed_table", "unix_ms"]

#: When each of them was billed: a message when it was published, an attempt when it began.
_ROWS: Final = dict(zip(READINGS, ("messages", "attempts"), strict=True))


@dataclass(frozen=True)
class Billed:
    """Counts by UTC day: of ``first_day`` (days since 1970) and those after it; without any of what was left out.

    ``known_ms`` is from when on the log tells of the range: what an empty beginning held may have been forgotten.
    """

    first_day: int
    counts: npt.NDArray[np.int64]
    from_ms: int
    to_ms: int
    known_ms: int

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def days(self) -> float:
        """How long the range is."""
        return (self.to_ms - self.from_ms) / DAY_MS

    @property
    def whole(self) -> npt.NDArray[np.int64]:
        """The counts of the days that lie in the range from their beginning to their end, and are known whole."""
        begin, end = -(-self.known_ms // DAY_MS), self.to_ms // DAY_MS
        return self.counts[max(0, begin - self.first_day) : max(0, end - self.first_day)]


def billed(
    messages: Rows, attempts: Rows, since: datetime | None = None, until: datetime | None = None
) -> dict[str, Billed]:
    """What is billed by each of :data:`qsops.plans.READINGS`, between ``since`` and ``until``.

    Without them the range is from the first to the last of what is there. A message counts where it was published, so
    one that began before the range does not, although its attempts do.
    """
    counts = {reading: _daily(billed_table(reading, messages, attempts), since, until) for reading in READINGS}
    seen = [ms for rows in counts.values() for ms in (rows["first_ms"].min(), rows["last_ms"].max()) if pd.notna(ms)]
    nothing = 0 if until is None else unix_ms(until)
    from_ms = unix_ms(since) if since is not None else int(min(seen, default=nothing))
    to_ms = unix_ms(until) if until is not None else int(max(seen, default=from_ms))
    known_ms = _known(from_ms, min(seen, default=from_ms))
    return {reading: _filled(rows, from_ms, max(from_ms, to_ms), known_ms) for reading, rows in counts.items()}


def billed_table(reading: str, messages: Rows, attempts: Rows) -> Any:
    """The rows that are billed under ``reading``, with ``at_ms``, when they were."""
    if _ROWS[reading] == "messages":
        table = source.of(messages, "created_ms")
        return table.filter(table.created_ms.notnull()).mutate(at_ms=table.created_ms)
    table = source.of(attempts, "started_ms", "ended_ms")
    table = table.mutate(at_ms=ibis.coalesce(table.started_ms, table.ended_ms))
    return table.filter(table.at_ms.notnull())


def unix_ms(moment: datetime) -> int:
    """``moment`` in unix milliseconds; one without a zone is UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def _daily(table: Any, since: datetime | None, until: datetime | None) -> pd.DataFrame:
    if since is not None:
        table = table.filter(table.at_ms >= unix_ms(since))
    if until is not None:
        table = table.filter(table.at_ms < unix_ms(until))
    days = table.mutate(day_ms=table.at_ms - table.at_ms % DAY_MS).group_by("day_ms")
    return source.frame_of(days.agg(billed=ibis._.count(), first_ms=ibis._.at_ms.min(), last_ms=ibis._.at_ms.max()))


def _known(from_ms: int, first_ms: int) -> int:
    """From when on the range is known, of which the first row is at ``first_ms``."""
    # A range that begins with a day without anything looks like a log whose beginning was forgotten.
    return int(from_ms if first_ms // DAY_MS == from_ms // DAY_MS else first_ms)


def _filled(rows: pd.DataFrame, from_ms: int, to_ms: int, known_ms: int) -> Billed:
    first, last = from_ms // DAY_MS, to_ms // DAY_MS
    counts = np.zeros(last - first + 1, dtype=np.int64)
    counts[rows["day_ms"].to_numpy(dtype=np.int64) // DAY_MS - first] = rows["billed"]
    return Billed(first, counts, from_ms, to_ms, known_ms)
