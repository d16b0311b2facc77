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


def portable_logs(table: pa.Table) -> pa.Table:
    """A table of :data:`qsops.frames.LOGS` as one of :data:`qsops.frames.PORTABLE_LOGS`; bodies are left out."""
    logs = table.select(frames.LOGS.names).cast(frames.LOGS)
    return _with(logs, time_ms=milliseconds(logs["time"]))


def portable_attempts(table: pa.Table) -> pa.Table:
    """A table of :data:`qsops.frames.ATTEMPTS` as one of :data:`qsops.frames.PORTABLE_ATTEMPTS`.

    ``body_fingerprint`` is of the column ``response_body``, which a table folded from a log with bodies has beside the
    others; null where there is none, or where the attempt was delivered.
    """
    attempts = table.select(frames.ATTEMPTS.names).cast(frames.ATTEMPTS)
    return _with(
        attempts,
        started_ms=milliseconds(attempts["started_at"]),
        ended_ms=milliseconds(attempts["ended_at"]),
        error_fingerprint=normalised(table["error"]),
        body_fingerprint=_bodies(table),
    )


def portable_messages(table: pa.Table) -> pa.Table:
    """A table of :data:`qsops.frames.MESSAGES` as one of :data:`qsops.frames.PORTABLE_MESSAGES`."""
    messages = table.select(frames.MESSAGES.names).cast(frames.MESSAGES)
    return _with(
        messages,
        created_ms=milliseconds(messages["created_at"]),
        finished_ms=milliseconds(messages["finished_at"]),
        last_fingerprint=normalised(table["last_error"]),
    )


def milliseconds(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole milliseconds since 1970, as the log counts them; null stays null."""
    return times.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())


def _bodies(table: pa.Table) -> pa.Array:
    if "response_body" not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    body = table["response_body"].combine_chunks()
    coded = body if pa.types.is_dictionary(body.type) else body.dictionary_encode()
    failed = pc.not_equal(table["outcome"], "delivered").fill_null(False)
    # Bodies of deliveries that went well are many, and would be normalised for nothing.
    kept = pc.if_else(failed, coded.indices, pa.scalar(None, coded.indices.type)).combine_chunks()
    used = pc.unique(kept).drop_null()
    return normalised(pa.DictionaryArray.from_arrays(pc.index_in(kept, used), coded.dictionary.take(used)))


def _with(table: pa.Table, **more: pa.Array) -> pa.Table:
    for name, values in more.items():
        table = table.append_column(name, values)
    return table.combine_chunks()
