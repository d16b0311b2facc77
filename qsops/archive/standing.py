"""How messages stand in an archive when new entries of theirs come: unfinished, finished, or not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from qsops.archive.layout import LOGS, MESSAGES, OPEN
from qsops.archive.state import State
from qsops.archive.store import Snapshot, Store
from qsops.models import State as Word

__all__ = ["Standing", "earliest_ms", "stand"]

#: The entries of a message come from several machines: by so much one may be dated before the CREATED that it follows.
_CLOCKS_APART_MS: Final = 600_000
_ENDS: Final = ["message_id", "created_ms", "finished_ms"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The messages of some new entries. ``carried`` are the entries of all unfinished messages of the archive.

    ``finished`` are those that were, with the times of it, and ``earlier`` their entries. ``unknown`` are the ids of
    those whose beginning is neither in the archive nor among the new entries.
    """

    ids: pa.Array
    carried: pa.Table
    finished: pa.Table
    earlier: pa.Table
    unknown: tuple[str, ...]


def stand(store: Store, state: State, new: pa.Table) -> Standing:
    """Look up the messages of the ``new`` rows of ``logs``."""
    ids = new["message_id"].unique()
    carried = _rows(store, state.tables.get(OPEN.name))
    others = _without(ids, carried["message_id"].unique())
    begun = new.filter(pc.field("state") == Word.CREATED)
    finished = _finished(store, state, others, begun)
    earlier = _earlier(store, state, finished) if finished.num_rows else OPEN.schema.empty_table()
    unknown = _without(_without(others, finished["message_id"]), begun["message_id"].unique())
    return Standing(ids, carried, finished, earlier, tuple(sorted(unknown.to_pylist())))


def earliest_ms(created_ms: pa.ChunkedArray) -> pa.Scalar:
    """Before that nothing happened to messages of these beginnings: it spares looking through most of a long past."""
    return pc.subtract(pc.min(created_ms), _CLOCKS_APART_MS)


def _finished(store: Store, state: State, ids: pa.Array, begun: pa.Table) -> pa.Table:
    """Which of ``ids`` are finished, with their beginnings."""
    if MESSAGES.name not in state.tables or not len(ids):
        return MESSAGES.schema.empty_table().select(_ENDS)
    there = store.dataset(state.tables[MESSAGES.name].parted(open=False))
    young = ids.filter(pc.is_in(ids, value_set=begun["message_id"].combine_chunks()))
    old = _without(ids, young)
    found = []
    if len(young):
        not_before = pc.field("finished_ms") >= earliest_ms(begun["time_ms"])
        found.append(there.to_table(columns=_ENDS, filter=not_before & pc.field("message_id").isin(young)))
    if len(old):
        found.append(there.to_table(columns=_ENDS, filter=pc.field("message_id").isin(old)))
    return pa.concat_tables(found)


def _earlier(store: Store, state: State, finished: pa.Table) -> pa.Table:
    wanted = pc.field("message_id").isin(finished["message_id"].combine_chunks())
    if not finished["created_ms"].null_count:
        wanted &= pc.field("time_ms") >= earliest_ms(finished["created_ms"])
    return store.dataset(state.tables[LOGS.name]).to_table(columns=OPEN.schema.names, filter=wanted)


def _rows(store: Store, snapshot: Snapshot | None) -> pa.Table:
    return OPEN.schema.empty_table() if snapshot is None else store.dataset(snapshot).to_table()


def _without(ids: pa.Array | pa.ChunkedArray, others: pa.Array | pa.ChunkedArray) -> pa.Array:
    whole = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    known = others.combine_chunks() if isinstance(others, pa.ChunkedArray) else others
    return whole.filter(pc.invert(pc.is_in(whole, value_set=known)))
