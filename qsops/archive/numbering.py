"""Which entries are new, and the number of each among those of equal message, time and state: pure.

A range of whole milliseconds has all entries of a message, time and state, or none of them. So if it has more than the
archive, the difference is new. Numbers are given in the order in which the archive met the entries, and stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qsops import frames
from qsops.archive.layout import LOGS
from qsops.fold.kinds import Array

__all__ = ["KEY", "fresh", "fresh_texts", "grown", "numbered", "refined"]

#: What tells one entry from another.
KEY: Final = ("message_id", "time_ms", "state", "seq")
_GROUP: Final = KEY[:3]


def numbered(entries: pa.Table) -> pa.Table:
    """Entries, oldest first, as rows of the table ``logs``; missing bodies are null."""
    columns = {name: entries[name] for name in entries.column_names}
    columns["time_ms"] = pc.divide(entries["time"].cast(pa.int64()), 1000)
    columns["seq"] = pa.array(_places(columns["message_id"], columns["time_ms"], columns["state"]))
    for name in frames.BODIES.names:
        columns.setdefault(name, pa.nulls(entries.num_rows, pa.string()))
    return pa.table({name: columns[name] for name in LOGS.schema.names}).cast(LOGS.schema)


def fresh(pulled: pa.Table, held: pa.Table) -> pa.Table:
    """The rows of ``pulled`` that ``held``, of the columns of :data:`KEY`, has not, in their order."""
    if not held.num_rows:
        return pulled
    keys = pulled.select(KEY).append_column("row", pa.array(np.arange(pulled.num_rows)))
    missing = keys.join(held.select(KEY), keys=list(KEY), join_type="left anti")["row"]
    return pulled.take(missing.take(pc.sort_indices(missing)))


def grown(new: pa.Table, held: pa.Table) -> pa.Array:
    """The ids of messages of which ``new`` has an entry that equals one of ``held`` in message, time and state."""
    more = new.filter(pc.field("seq") > 0).select(_GROUP)
    again = more.join(held.select(_GROUP), keys=list(_GROUP), join_type="left semi")
    return again["message_id"].combine_chunks().unique()


def refined(new: pa.Table, pulled: pa.Table, held: pa.Table) -> pa.Table:
    """``new`` with those of several equal entries that really are.

    By their number, the last ones of a group are new; but a late one may stand before one that is held. ``held`` are
    whole rows of the messages that have grown.
    """
    grows = pc.field("message_id").isin(held["message_id"].unique())
    known: dict[Any, Counter[Any]] = {}
    for group, row in _told(held):
        known.setdefault(group, Counter())[row] += 1
    wanted = Counter(group for group, _ in _told(new.filter(grows)) if group in known)
    pulled, chosen = pulled.filter(grows), Counter[Any]()
    places: list[int] = []
    for place, (group, row) in enumerate(_told(pulled)):
        if known.get(group, {}).get(row):
            known[group][row] -= 1
        elif chosen[group] < wanted[group]:
            chosen[group] += 1
            places.append(place)
    return _exchanged(new, pulled.take(pa.array(places, pa.int64())), wanted)


def fresh_texts(pulled: Iterable[str], held: pa.Table) -> list[tuple[str, int]]:
    """Malformed entries that ``held`` (columns ``raw`` and ``seq``) has not, with the number of each among equals."""
    there = Counter(held["raw"].to_pylist())
    found: list[tuple[str, int]] = []
    for raw, count in Counter(pulled).items():
        found += [(raw, seq) for seq in range(there[raw], count)]
    return found


def _exchanged(new: pa.Table, instead: pa.Table, groups: Container[Any]) -> pa.Table:
    """``new`` with ``instead`` in the place of the rows of ``groups``, as many and with their numbers."""
    is_one = pa.array([group in groups for group, _ in _told(new)], pa.bool_())
    order = [(name, "ascending") for name in KEY]
    numbers = new.filter(is_one).sort_by(order)["seq"]
    at = LOGS.schema.get_field_index("seq")
    instead = instead.sort_by(order).set_column(at, LOGS.schema.field("seq"), numbers)
    return pa.concat_tables([new.filter(pc.invert(is_one)), instead])


def _told(rows: pa.Table) -> Iterable[tuple[Any, Any]]:
    """The group of each row, and what it says beside."""
    groups = zip(*(rows[name].to_pylist() for name in _GROUP), strict=True)
    told = zip(*(rows[name].to_pylist() for name in frames.ENTRIES.names), strict=True)
    return zip(groups, told, strict=True)


def _places(*columns: pa.ChunkedArray) -> Array:
    """For each row how many before it are equal to it in ``columns``."""
    keys = [column.combine_chunks().dictionary_encode().indices.to_numpy() for column in columns]
    order = np.lexsort(keys)
    begins = np.ones(len(order), dtype=bool)
    if len(order):
        begins[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    starts = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0)) if len(order) else order
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order)) - starts
    return places
