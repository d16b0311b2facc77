"""Parquet files as an Ibis table, in whichever engine was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from qsops.compute.choice import Choice, choice
from qsops.compute.duck import duckdb_connection
from qsops.compute.spark import spark_connection

__all__ = ["open_files"]


def open_files(files: Sequence[str], schema: pa.Schema, chosen: Choice | None = None) -> Any:
    """The rows of Parquet ``files`` as an Ibis table; no files are a table of ``schema`` without rows.

    ``files`` are paths, or what the engine reads otherwise (``s3://`` on DuckDB, ``s3a://`` on Spark), and have to have
    the columns of ``schema``. The files that were named are read, whatever is written beside them later.
    """
    engine = choice() if chosen is None else chosen
    if engine.engine == "spark":
        return _in_spark(spark_connection(engine.master), files, schema)
    if not files:
        import ibis

        return ibis.memtable(schema.empty_table())
    return duckdb_connection().read_parquet(list(files)).select(*schema.names)


def _in_spark(connection: Any, files: Sequence[str], schema: pa.Schema) -> Any:
    from ibis.util import gen_name

    session, name = connection._session, gen_name("qsops")
    rows = session.read.parquet(*files) if files else session.createDataFrame(schema.empty_table())
    rows.select(*schema.names).createOrReplaceTempView(name)
    return connection.table(name)
