"""The columns that make a table portable: times as whole milliseconds, and texts without ids.

DuckDB, Spark and others count time and match patterns each in their own way, so that both are done here, once. What is
added follows from the other columns alone.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from qsops import frames
from qsops.fold.fingerprints import normalised

__all__ = ["portable_attempts", "portable_logs", "portable_messages"]

_TEXT = pa.string()


def portable_logs(table: pa.Table) -> pa.Table:
    """A table of :data:`qsops.frames.LOGS` as one of :data:`qsops.frames.PORTABLE_LOGS`; bodies are left out."""
    return _with(table, frames.LOGS, {"time_ms": milliseconds(table["time"])})


def portable_attempts(table: pa.Table) -> pa.Table:
    """A table of :data:`qsops.frames.ATTEMPTS` as one of :data:`qsops.frames.PORTABLE_ATTEMPTS`.

    ``body_fingerprint`` is of the column ``response_body``, which a table folded from a log with bodies has beside the
    others; null where there is none, or where the attempt was delivered.
    """
    return _with(
        table,
        frames.ATTEMPTS,
        {
            "started_ms": milliseconds(table["started_at"]),
            "ended_ms": milliseconds(table["ended_at"]),
            "error_fingerprint": normalised(table["error"]),
            "body_fingerprint": _bodies(table),
        },
    )


def portable_messages(table: pa.Table) -> pa.Table:
    """A table of :data:`qsops.frames.MESSAGES` as one of :data:`qsops.frames.PORTABLE_MESSAGES`."""
    return _with(
        table,
        frames.MESSAGES,
        {
            "created_ms": milliseconds(table["created_at"]),
            "finished_ms": milliseconds(table["finished_at"]),
            "last_fingerprint": normalised(table["last_error"]),
        },
    )


def milliseconds(times: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Whole milliseconds since 1970, as the log counts them; null stays null."""
    return times.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())


def _bodies(table: pa.Table) -> pa.Array:
    if "response_body" not in table.column_names:
        return pa.nulls(table.num_rows, _TEXT)
    failed = pc.not_equal(table["outcome"], "delivered").fill_null(False)
    return normalised(pc.if_else(failed, table["response_body"], pa.scalar(None, table["response_body"].type)))


def _with(table: pa.Table, schema: pa.Schema, more: dict[str, pa.Array]) -> pa.Table:
    kept = table.select(schema.names).cast(schema)
    for name, values in more.items():
        kept = kept.append_column(name, values)
    return kept
