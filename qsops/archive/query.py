"""SQL over the archive's tables as they are pinned, by DuckDB: it reads them and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from qsops.archive.faults import reported
from qsops.archive.layout import COMMITS, OPEN, TABLES, Layout
from qsops.archive.state import State
from qsops.archive.store import Snapshot, Store
from qsops.errors import SettingsError

__all__ = ["ROWS_LIMIT", "Relation", "ask", "frame_of", "query"]

#: Answers are held in memory; whoever wants more reads the tables' files.
ROWS_LIMIT: Final = 1_000_000
_TEXT_LIMIT: Final = 300
_BATCH: Final = 10_000
#: DESCRIBE, SHOW and SUMMARIZE are selects to DuckDB; PIVOT is several statements of which none stays.
_READS: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
#: A COPY also hides in a CTE, an EXPLAIN ANALYZE and around a PIVOT. It could write nothing; this says so clearly.
_WRITES: Final = re.compile(r"\b(copy|create)\b", re.IGNORECASE)
_NO_WORDS: Final = (duckdb.token_type.string_const, duckdb.token_type.comment)
#: The first keeps DuckDB from every file: it is given rows by Arrow, with the columns and filters it asks for, since a
#: file that it may read it may also write. The others keep the session from loading code.
_LOCKS: Final = (
    "enable_external_access = false",
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "python_enable_replacements = false",
    "TimeZone = 'UTC'",
    "lock_configuration = true",
)

#: A count past it is no count of ours.
_LARGEST: Final = 2**62
#: What DuckDB says where Arrow could not give it the rows.
_UNREAD: Final = "reading the stream registered as"
#: What is carried from one sync to the next is nobody's business.
_TABLES: Final = {name: layout for name, layout in TABLES.items() if layout is not OPEN}

#: Makes one table known to a connection under a name.
Relation = Callable[[duckdb.DuckDBPyConnection, str], object]


def ask(store: Store, state: State, sql: str, *, limit: int = ROWS_LIMIT) -> pa.Table:
    """What ``sql`` selects from the tables of ``state``; see :func:`query`.

    :raises Corrupt: a file of them is gone.
    """
    pinned = {**state.tables, **({} if state.commits is None else {COMMITS.name: state.commits})}
    relations = {name: _relation(store, layout, pinned.get(name)) for name, layout in _TABLES.items()}
    with reported(store.root):
        return query(relations, sql, limit=limit)


def query(relations: Mapping[str, Relation], sql: str, *, limit: int = ROWS_LIMIT) -> pa.Table:
    """What ``sql`` selects from ``relations``, which are registered: no file is open to DuckDB.

    One statement that reads. Whatever writes, attaches, loads, or reads another file is refused.

    :raises SettingsError: it does not parse, names what is not there, does more than read, or gives too many rows.
    :raises OSError: what lies behind a relation cannot be read.
    """
    connection = duckdb.connect(":memory:")
    try:
        for name, relate in relations.items():
            relate(connection, name)
        _lock(connection)
        _refuse_all_but_reading(connection, sql)
        return _rows(connection.sql(sql), limit)
    except duckdb.CatalogException as error:
        raise SettingsError(f"SQL: {_line(error)}; the tables are {', '.join(relations)}") from error
    except duckdb.Error as error:
        if _UNREAD in (text := _line(error)):
            raise OSError(text) from error
        raise SettingsError(f"SQL: {text}") from error
    finally:
        connection.close()


def frame_of(answer: pa.Table) -> pd.DataFrame:
    """An answer as a frame: text, counts and times as in all frames; of columns with equal names the later numbered."""
    names: list[str] = []
    for name in answer.column_names:
        names.append(name if name not in names else f"{name}_{len(names)}")
    frame: pd.DataFrame = pa.table([_plain(column) for column in answer.columns], names=names).to_pandas(
        types_mapper=_dtype
    )
    return frame


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Sums of counts come as decimals of 38 digits, which no frame counts with."""
    if not pa.types.is_decimal(column.type):
        return column
    fits = column.type.scale == 0 and pc.all(pc.less(pc.abs(column), _LARGEST)).as_py() is not False
    return column.cast(pa.int64() if fits else pa.float64())


def _dtype(kind: pa.DataType) -> Any:
    if pa.types.is_integer(kind):
        return pd.Int64Dtype()
    return pd.StringDtype(na_value=float("nan")) if pa.types.is_string(kind) else None


def _relation(store: Store, layout: Layout, snapshot: Snapshot | None) -> Relation:
    def relate(connection: duckdb.DuckDBPyConnection, name: str) -> object:
        if snapshot is None or not snapshot.files:
            return connection.register(name, layout.schema.empty_table())
        return connection.register(name, store.dataset(snapshot))

    return relate


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    for setting in _LOCKS:
        connection.execute(f"set {setting}")


def _refuse_all_but_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise SettingsError(f"SQL: expected one statement, got {len(statements)}")
    if (kind := statements[0].type) not in _READS:
        raise SettingsError(f"SQL: the archive is only read here, and {kind.name} is no reading: write a SELECT")
    if (found := _WRITES.search(_bare(sql))) is not None:
        word = found[0].upper()
        raise SettingsError(
            f'SQL: the archive is only read here, and {word} is no reading; a name goes in quotes: "{word}"'
        )


def _bare(sql: str) -> str:
    """What DuckDB may take for keywords: all but strings, comments and quoted names."""
    # Tokens begin at bytes. A keyword before an odd space is told as a name, so that names are looked at, too.
    text, tokens = sql.encode(), duckdb.tokenize(sql)
    ends = [*(start for start, _ in tokens[1:]), len(text)]
    words = [text[start:end].decode() for (start, kind), end in zip(tokens, ends, strict=True) if kind not in _NO_WORDS]
    return " ".join(word for word in words if not word.startswith('"'))


def _rows(relation: duckdb.DuckDBPyRelation, limit: int) -> pa.Table:
    reader = relation.to_arrow_reader(_BATCH)
    batches: list[pa.RecordBatch] = []
    for batch in reader:
        batches.append(batch)
        if sum(held.num_rows for held in batches) > limit:
            raise SettingsError(f"SQL: the answer has more than {limit:,} rows: add a LIMIT, or aggregate")
    return pa.Table.from_batches(batches, schema=reader.schema)


def _line(error: duckdb.Error) -> str:
    """What DuckDB says, without its guesses and the picture of where."""
    text = re.split(r"\nLINE |\nDid you mean", str(error))[0]
    return " ".join(text.split())[:_TEXT_LIMIT]
