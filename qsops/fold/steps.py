"""Log rows as arrays, in the order of their story: per message, by time, and by cause within one millisecond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from qsops.fold.causality import by_cause
from qsops.fold.kinds import KINDS, Array, Kind

__all__ = ["Steps", "nullable"]

_TEXT: Final = pa.large_string()
_READ: Final = pa.schema(
    [
        ("time", pa.timestamp("us", "UTC")),
        ("message_id", _TEXT),
        ("state", _TEXT),
        ("seq", pa.int64()),
        ("url", _TEXT),
        ("labels", _TEXT),
        ("queue", _TEXT),
        ("schedule_id", _TEXT),
        ("response_status", pa.int64()),
        ("error", _TEXT),
    ]
)
#: Read where a log was pulled with bodies.
_BODIES: Final = pa.schema([("response_body", _TEXT)])


@dataclass(frozen=True)
class Steps:
    """The rows without doubles. ``message`` numbers the ids in their order, and is sorted; ``time`` is in microseconds.

    ``row`` leads back into ``table``, the log as it came; ``ids`` are the distinct message ids, sorted.
    """

    table: pa.Table
    ids: pa.Array
    row: Array
    message: Array
    time: Array
    kind: Array

    @classmethod
    def of(cls, logs: pd.DataFrame | pa.Table) -> Steps:
        """Sort ``logs`` and leave out doubles, which are equal in message, time, state and seq."""
        table = _read(logs)
        ids, message = _coded(table["message_id"])
        names, state = _coded(table["state"])
        kinds = np.array([KINDS.get(name, Kind.UNKNOWN) for name in names.to_pylist()], dtype=np.int8)
        time = table["time"].cast(pa.int64()).to_numpy()
        seq = _narrow(table["seq"].to_numpy())
        # The last key sorts first. Small integers are sorted by radix, so that only two of the five keys cost anything.
        order = np.lexsort((seq, _narrow(state), kinds[state], time, message))
        order = order[_first_of_each(message[order], time[order], state[order], seq[order])]
        order = order[by_cause(message[order], time[order], kinds[state[order]])]
        return cls(table, ids, order, message[order], time[order], kinds[state[order]])

    def where(self, *kinds: Kind) -> Array:
        """The positions of the steps of ``kinds``."""
        return np.flatnonzero(np.isin(self.kind, kinds)) if len(kinds) > 1 else np.flatnonzero(self.kind == kinds[0])

    def first(self, positions: Array) -> Array:
        """Per message the first of ``positions`` (ascending), -1 where it has none."""
        # Written backwards, so that of several values for one message the first one stays.
        return self._per_message(positions[::-1])

    def last(self, positions: Array) -> Array:
        """Per message the last of ``positions`` (ascending), -1 where it has none."""
        return self._per_message(positions)

    def _per_message(self, positions: Array) -> Array:
        found = np.full(len(self.ids), -1, dtype=np.int64)
        found[self.message[positions]] = positions
        return found

    def told(self, column: str) -> Array:
        """The positions of the steps that say something in ``column``."""
        values = self.table[column]
        if values.null_count == 0:
            return np.arange(len(self.row))
        return np.flatnonzero(values.is_valid().to_numpy()[self.row])

    def values(self, column: str, positions: Array) -> pa.Array:
        """``column`` at ``positions``, null at -1; text is dictionary-encoded."""
        return self.table[column].combine_chunks().take(nullable(_at(self.row, positions), positions < 0))

    def times(self, positions: Array) -> pa.Array:
        """Times at ``positions`` in microseconds; null at -1."""
        return nullable(_at(self.time, positions), positions < 0)


def _read(logs: pd.DataFrame | pa.Table) -> pa.Table:
    """The columns that the fold reads; text but for the ids is dictionary-encoded, so that to take it costs little."""
    names = logs.column_names if isinstance(logs, pa.Table) else logs.columns
    schema = pa.schema([*_READ, *(field for field in _BODIES if field.name in names)])
    if isinstance(logs, pa.Table):
        table = logs.select(schema.names).cast(schema)
    else:
        table = pa.Table.from_pandas(logs[schema.names], schema=schema, preserve_index=False)
    table = table.combine_chunks()
    coded = [
        column.dictionary_encode() if field.type == _TEXT and field.name != "message_id" else column
        for field, column in zip(schema, table.columns, strict=True)
    ]
    return pa.table(coded, names=schema.names).combine_chunks()


def nullable(values: Array, missing: Array) -> pa.Array:
    """``values`` as Arrow's, null where ``missing``."""
    return pa.array(values, mask=missing)


def _at(values: Array, positions: Array) -> Array:
    """``values`` at ``positions``, with anything at -1, also where there are no values."""
    return values[positions] if len(values) else np.zeros(len(positions), dtype=values.dtype)


def _coded(column: pa.ChunkedArray) -> tuple[pa.Array, Array]:
    """The distinct texts in their order, and the number of each row's; a missing text is the empty one."""
    encoded = column.combine_chunks().cast(_TEXT).fill_null("").dictionary_encode()
    names, codes = encoded.dictionary, encoded.indices.to_numpy()
    if pc.all(pc.less(names[:-1], names[1:])).as_py() is not False:  # Ids sort by time, as logs do.
        return names, codes
    order = pc.sort_indices(names).to_numpy()
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return names.take(pa.array(order)), rank[codes]


def _narrow(values: Array) -> Array:
    return values.astype(np.int16) if len(values) and values.max() < 2**15 else values


def _first_of_each(*keys: Array) -> Array:
    """Which rows of a sorted table differ from the one before."""
    differs = np.ones(len(keys[0]), dtype=bool)
    differs[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return differs
