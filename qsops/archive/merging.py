"""Taking pulled entries into an archive, once: new ones go to ``logs``, and what follows from them is derived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from qsops.archive.aside import set_aside
from qsops.archive.deriving import derive
from qsops.archive.layout import LOGS
from qsops.archive.numbering import KEY, fresh, grown, numbered, refined
from qsops.archive.source import Pulled
from qsops.archive.spans import Span, united
from qsops.archive.standing import stand
from qsops.archive.state import Change, Commit, State, amend
from qsops.archive.store import Part, Store
from qsops.clock import Clock

__all__ = ["Heads", "Merged", "merge"]

#: What came before a time to some messages, given their ids and that time; see :class:`~qsops.archive.source.Source`.
Heads = Callable[[Sequence[str], int], pa.Table]


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did: entries that were pulled, that were new, and that were none. No commit: nothing was to do."""

    entries: int
    added: int
    malformed: int
    commit: Commit | None


def merge(store: Store, clock: Clock, kind: str, pulled: Pulled, span: Span, heads: Heads) -> Merged:
    """Take in what was pulled of ``span``, all of it, and note the span as covered; ``kind`` says on whose behalf.

    As often as it is done, and with however many others at the same time, each entry is in ``logs`` once.
    """
    rows = numbered(pulled.entries)
    fetched = _Fetched(heads, span[0])

    def change(state: State) -> Change | None:
        new = _new(store, state, rows)
        tables, malformed = set_aside(store, state, clock, pulled.malformed)
        covered = united([*state.covered, span])
        if not new.num_rows and not malformed and covered == state.covered:
            return None
        if new.num_rows:
            standing = stand(store, state, new)
            new = pa.concat_tables([fetched.of(standing.unknown), new]).sort_by("time_ms")
            tables[LOGS.name] = store.put(LOGS, state.tables.get(LOGS.name), [Part(new)])
            tables |= derive(store, state, standing, new)
        return Change(tables, covered, span, rows.num_rows, new.num_rows, malformed)

    commit = amend(store, clock, kind, change)
    if commit is None:
        return Merged(rows.num_rows, 0, 0, None)
    return Merged(rows.num_rows, commit.added, commit.malformed, commit)


class _Fetched:
    """Heads, asked for once, however often a merge has to begin anew."""

    def __init__(self, heads: Heads, before_ms: int) -> None:
        self._heads = heads
        self._before_ms = before_ms
        self._asked: set[str] = set()
        self._rows = LOGS.schema.empty_table()

    def of(self, ids: Sequence[str]) -> pa.Table:
        """The rows of ``logs`` before the range, of messages of which the archive knows nothing."""
        missing = [one for one in ids if one not in self._asked]
        if missing:
            self._asked.update(missing)
            found = numbered(self._heads(missing, self._before_ms))
            # What was not asked for may be there already.
            asked = (pc.field("time_ms") < self._before_ms) & pc.field("message_id").isin(pa.array(missing))
            self._rows = pa.concat_tables([self._rows, found.filter(asked)])
        return self._rows.filter(pc.field("message_id").isin(pa.array(ids, pa.string())))


def _new(store: Store, state: State, rows: pa.Table) -> pa.Table:
    """The rows that the archive has not."""
    if LOGS.name not in state.tables or not rows.num_rows:
        return rows
    logs = store.dataset(state.tables[LOGS.name])
    # By the times that came, not those that were asked for: a service may have its own idea of a range.
    ends = pc.min_max(rows["time_ms"])
    within = (pc.field("time_ms") >= ends["min"]) & (pc.field("time_ms") <= ends["max"])
    held = logs.to_table(columns=list(KEY), filter=within)
    new = fresh(rows, held)
    ids = grown(new, held)
    if not len(ids):
        return new
    return refined(new, rows, logs.to_table(filter=within & pc.field("message_id").isin(ids)))
