"""A small log to archive, which lists entries late and forgets them; and what an archive of it has to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from qsops import fold, frames
from qsops.archive.layout import ATTEMPTS, LOGS, MESSAGES, OPEN, Layout
from qsops.archive.source import Pulled, TooMany
from qsops.archive.state import State, load
from qsops.archive.store import Store
from qsops.clock import Clock
from qsops.models import LogEntry

__all__ = ["FakeLog", "Told", "assert_consistent", "assert_whole", "rows"]

_ENTRY = frames.ENTRIES.names


@dataclass(frozen=True)
class Told:
    """An entry, and when it turns up in listings."""

    entry: LogEntry
    listed_ms: int


@dataclass
class FakeLog:
    """A source of ``told``, as it is listed at the time of ``clock``."""

    clock: Clock
    told: Sequence[Told]
    retention_ms: int | None = None
    bodies: bool = False
    malformed: Sequence[tuple[int, str]] = ()
    asked: list[tuple[int, int]] = field(default_factory=list)
    heads_asked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, clock: Clock, entries: Sequence[LogEntry], **rest: Any) -> FakeLog:
        """A log in which every entry is listed at once."""
        return cls(clock, [Told(entry, entry.time_ms) for entry in entries], **rest)

    def listed(self) -> list[LogEntry]:
        """What a listing without filters has now, oldest first."""
        now_ms = self.clock.now_ms()
        least_ms = 0 if self.retention_ms is None else now_ms - self.retention_ms
        found = [one.entry for one in self.told if one.listed_ms <= now_ms and one.entry.time_ms >= least_ms]
        return sorted(found, key=lambda entry: entry.time_ms)

    def oldest_ms(self) -> int | None:
        listed = self.listed()
        return listed[0].time_ms if listed else None

    def now_ms(self) -> int | None:
        return self.clock.now_ms()

    def entries(self, span: tuple[int, int], most: int | None) -> Pulled:
        self.asked.append(span)
        found = [entry for entry in self.listed() if span[0] <= entry.time_ms <= span[1]]
        if most is not None and len(found) > most:
            raise TooMany
        junk = tuple(raw for at_ms, raw in self.malformed if span[0] <= at_ms <= span[1])
        return Pulled(frames.entries(found, bodies=self.bodies), junk)

    def heads(self, message_ids: Sequence[str], before_ms: int) -> pa.Table:
        self.heads_asked += message_ids
        wanted = set(message_ids)
        found = [entry for entry in self.listed() if entry.message_id in wanted and entry.time_ms < before_ms]
        return frames.entries(found, bodies=self.bodies)


def rows(store: Store, layout: Layout, state: State | None = None) -> pa.Table:
    """All rows of a table, of the latest commit unless a state is given."""
    tables = (state or load(store)).tables
    return store.dataset(tables[layout.name]).to_table() if layout.name in tables else layout.schema.empty_table()


def assert_whole(store: Store, served: Sequence[LogEntry], state: State | None = None) -> None:
    """The archive is what was ``served``, row for row, and what follows from that."""
    _assert_same(rows(store, LOGS, state).select(_ENTRY), frames.entries(served))
    assert_consistent(store, state)


def assert_consistent(store: Store, state: State | None = None) -> None:
    """Each log entry is there under its own number, and the other tables are what follows from all of them."""
    logs = rows(store, LOGS, state)
    keys = logs.select(["message_id", "time_ms", "state", "seq"]).to_pandas().sort_values("seq")
    assert (keys.groupby(["message_id", "time_ms", "state"]).cumcount() == keys["seq"]).all()
    folded = fold.tables(logs)
    _assert_same(rows(store, ATTEMPTS, state), folded.attempts)
    _assert_same(rows(store, MESSAGES, state), folded.messages)
    unfinished = folded.messages.filter(pc.field("finished_ms").is_null())["message_id"].combine_chunks()
    carried = logs.filter(pc.is_in(logs["message_id"], value_set=unfinished))
    _assert_same(rows(store, OPEN, state), carried.select(OPEN.schema.names))


def _assert_same(found: pa.Table, expected: pa.Table) -> None:
    assert found.schema.names == expected.schema.names
    pd.testing.assert_frame_equal(_sorted(found), _sorted(expected), check_dtype=False)


def _sorted(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame.sort_values(list(frame.columns), na_position="first").reset_index(drop=True)
