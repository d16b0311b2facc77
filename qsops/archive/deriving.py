"""What follows from new log entries: attempts, messages, and what is carried over, each a table written anew.

Finished messages are written once, and never touched again unless something comes that changes them. Unfinished ones
lie in files of their own, which every step replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from qsops import fold
from qsops.archive.layout import ATTEMPTS, MESSAGES, OPEN, Layout
from qsops.archive.standing import Standing, earliest_ms
from qsops.archive.state import State
from qsops.archive.store import File, Part, Snapshot, Store, holding

__all__ = ["derive"]

_ORDER: Final[Mapping[str, list[tuple[str, str]]]] = {
    ATTEMPTS.name: [(name, "ascending") for name in ("message_id", "attempt", "started_ms", "ended_ms")],
    MESSAGES.name: [("message_id", "ascending")],
}


def derive(store: Store, state: State, standing: Standing, new: pa.Table) -> dict[str, Snapshot]:
    """The tables after the ``new`` rows of ``logs``: attempts, messages, open.

    A function of the state and the rows alone, so that it may be done any number of times.
    """
    touched = pc.is_in(standing.carried["message_id"], value_set=standing.ids)
    entries = pa.concat_tables(
        [standing.carried.filter(touched), standing.earlier, new.select(OPEN.schema.names).cast(OPEN.schema)]
    )
    folded = fold.tables(entries)
    unfinished = folded.messages.filter(pc.field("finished_ms").is_null())["message_id"].combine_chunks()
    is_open = pc.field("message_id").isin(unfinished)
    carried = pa.concat_tables([standing.carried.filter(pc.invert(touched)), entries.filter(is_open)])
    tables = {
        layout.name: _moved(store, state, layout, standing, rows, is_open)
        for layout, rows in ((ATTEMPTS, folded.attempts), (MESSAGES, folded.messages))
    }
    before = state.tables.get(OPEN.name)
    tables[OPEN.name] = store.put(OPEN, before, [Part(carried)], before.files if before else ())
    return tables


def _moved(
    store: Store, state: State, layout: Layout, standing: Standing, rows: pa.Table, is_open: pc.Expression
) -> Snapshot:
    """One derived table with ``rows``, in the place of all that it has of their messages."""
    before = state.tables.get(layout.name) or Snapshot(layout.name, 0, ())
    still = store.dataset(before.parted(open=True)).to_table()
    still = still.filter(pc.invert(pc.is_in(still["message_id"], value_set=standing.ids)))
    stale, parts = _finished(store, before.parted(open=False), layout, standing.finished, rows.filter(~is_open))
    unfinished = Part(pa.concat_tables([still, rows.filter(is_open)]), open=True)
    gone = [*before.parted(open=True).files, *stale]
    return store.put(layout, before if before.files else None, chain([unfinished], parts), gone)


def _finished(
    store: Store, before: Snapshot, layout: Layout, again: pa.Table, rows: pa.Table
) -> tuple[list[File], Iterable[Part]]:
    """What is written of finished messages, and the files it replaces: those with messages of ``again``.

    They were finished before; mostly what came since, such as a CANCELED, changes nothing.
    """
    if not again.num_rows or not before.files:
        return [], [Part(rows, open=False)]
    of_them = pc.field("message_id").isin(again["message_id"].combine_chunks())
    stale = holding(store, before, of_them & _since(layout, again))
    was = store.dataset(replace(before, files=tuple(stale))).to_table(filter=of_them) if stale else rows.slice(0, 0)
    if _is_same(layout, was, rows.filter(of_them)):
        return [], [Part(rows.filter(~of_them), open=False)]
    others = (store.dataset(replace(before, files=(file,))).to_table(filter=~of_them) for file in stale)
    # One file after the other, so that no more than one has to be in memory.
    return stale, (Part(one, open=False) for one in chain(others, [rows]))


def _since(layout: Layout, again: pa.Table) -> pc.Expression:
    if again["created_ms"].null_count:
        return pc.scalar(True)
    by = pc.field(layout.by)
    return (by >= earliest_ms(again["created_ms"])) | by.is_null()


def _is_same(layout: Layout, was: pa.Table, becomes: pa.Table) -> bool:
    order = _ORDER[layout.name]
    one, other = (table.select(layout.schema.names).sort_by(order).combine_chunks() for table in (was, becomes))
    return bool(one.equals(other))
