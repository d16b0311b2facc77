"""Asking an engine: the answer to an expression as an Arrow table, and small tables put beside large ones."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from qsops.compute.duck import duckdb_connection

__all__ = ["answer", "beside"]


def answer(expression: Any) -> pa.Table:
    """The rows of an Ibis ``expression``, from the engine of its tables; those of memory are asked through DuckDB."""
    backend = _backend(expression)
    if backend.name != "pyspark":
        return backend.to_pyarrow(expression)
    # Ibis goes through pandas here, which changes types where values are missing.
    return backend._session.sql(backend.compile(expression)).toArrow()


def beside(expression: Any, table: pa.Table) -> Any:
    """A small Arrow ``table`` as one of the engine that ``expression`` is asked in, so that both can be joined."""
    import ibis

    backend = _backend(expression)
    if backend.name != "pyspark":
        return ibis.memtable(table)
    name = ibis.util.gen_name("qsops")
    backend._session.createDataFrame(table).createOrReplaceTempView(name)
    return backend.table(name)


def _backend(expression: Any) -> Any:
    backends, _ = expression._find_backends()
    return backends[0] if backends else duckdb_connection()
