"""The log that is served: planted entries, some of which turn up late, stand twice, or cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.planted import live, log_table, plan
from qsops import frames

__all__ = ["JUNK", "Log", "written"]

Array = npt.NDArray[Any]

#: What stands in a page where an entry should: nothing that has a place in time.
JUNK: Final = (
    b"null",
    b'"gone"',
    b"17",
    b"[]",
    b'{"messageId":"msg_undated","state":"ACTIVE","url":"https://one.example"}',
)
_READABLE: Final = -1
_MICROS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Log:
    """Entries in the order of the listing, oldest first.

    ``table`` has the columns of :data:`qsops.frames.LOGS`, arrays are by row: ``visible_ms`` says since when an entry
    is listed, ``message`` the number in its id, ``junk`` which of :data:`JUNK` stands in its place (-1: none).
    """

    table: pa.Table
    time_ms: Array
    visible_ms: Array
    message: Array
    junk: Array

    def rows(self, which: Array) -> pa.Table:
        """The readable ones of the rows that ``which`` (a mask) names, with their ``seq``, oldest first."""
        chosen = np.flatnonzero(which & (self.junk == _READABLE))
        table = self.table.take(pa.array(chosen))
        return table.set_column(table.schema.get_field_index("seq"), "seq", pa.array(_numbered(table)))


def written(
    seed: int,
    messages: int,
    *,
    days: int = 1,
    begins_ms: int | None = None,
    late: float = 0.0,
    latest_ms: int = 600_000,
    twins: float = 0.0,
    junk: float = 0.0,
) -> Log:
    """The log of so many messages, the same for the same arguments; it begins at ``begins_ms``.

    ``late`` is the share of entries that are listed up to ``latest_ms`` after their time, ``twins`` the share that has
    a double of the same message, time and state, ``junk`` the share that has something unreadable beside it.
    """
    made = plan(seed, messages, days=days)
    table = _varied(log_table(made, live(made)))
    rng = np.random.default_rng([seed, 2])
    doubled = np.flatnonzero(rng.random(table.num_rows) < twins)
    spoiled = np.flatnonzero(rng.random(table.num_rows) < junk)
    origin = np.concatenate([np.arange(table.num_rows), doubled, spoiled])
    kinds = np.full(len(origin), _READABLE, dtype=np.int8)
    kinds[len(origin) - len(spoiled) :] = rng.integers(len(JUNK), size=len(spoiled))
    is_double = np.zeros(len(origin), dtype=bool)
    is_double[table.num_rows : table.num_rows + len(doubled)] = True
    order = np.argsort(origin, kind="stable")
    table = _moved(_marked(table.take(pa.array(origin[order])), is_double[order]), begins_ms)
    time_ms = _ms(table["time"])
    lateness_ms = np.where(rng.random(len(order)) < late, rng.integers(1, latest_ms + 1, len(order)), 0)
    numbers = pc.utf8_slice_codeunits(table["message_id"], len("msg_")).cast(pa.int64()).to_numpy()
    return Log(table, time_ms, time_ms + lateness_ms, numbers, kinds[order])


def _varied(table: pa.Table) -> pa.Table:
    """The columns that planted logs leave empty, filled for some messages."""
    number = pc.utf8_slice_codeunits(table["message_id"], len("msg_")).cast(pa.int64()).to_numpy()
    for name, every, text in (
        ("queue", 3, "queue-#"),
        ("schedule_id", 5, "scd_#"),
        ("url_group", 7, "group-#"),
        ("endpoint", 7, "endpoint-#"),
        ("flow_control_key", 4, "key.#"),
        ("retry_delay_expression", 6, "min(86400, #000 * pow(2, retried))"),
        ("caller_ip", 2, "203.0.113.#"),
    ):
        texts = pa.array([text.replace("#", str(n)) for n in range(9)])
        which = pa.array(number % 9, pa.int32(), mask=number % every != 0)
        column = pa.DictionaryArray.from_arrays(which, texts).cast(pa.string())
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


def _marked(table: pa.Table, is_double: Array) -> pa.Table:
    """Doubles differ from their originals in what they say, so that none can stand for the other."""
    error = pc.if_else(pa.array(is_double), pa.scalar("once more"), table["error"])
    return table.set_column(table.schema.get_field_index("error"), "error", error)


def _moved(table: pa.Table, begins_ms: int | None) -> pa.Table:
    if begins_ms is None:
        return table
    by_us = (begins_ms - int(_ms(table["time"])[0])) * _MICROS
    for name in ("time", "next_delivery_at"):
        kind = table.schema.field(name).type
        moved = pc.add(table[name].cast(pa.int64()), by_us).cast(kind)
        table = table.set_column(table.schema.get_field_index(name), name, moved)
    return table


def _numbered(table: pa.Table) -> Array:
    """For each entry how many before it have its message, time and state."""
    if not table.num_rows:
        return np.zeros(0, dtype=np.int64)
    keys = [
        table[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in ("state", "message_id", "time")
    ]
    order = np.lexsort(keys)
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    starts = np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))
    seq = np.empty(len(order), dtype=np.int64)
    seq[order] = np.arange(len(order)) - starts
    return seq


def _ms(column: pa.ChunkedArray) -> Array:
    assert column.type == frames.LOGS.field("time").type
    return np.asarray(column.cast(pa.int64()).to_numpy()) // _MICROS
