"""What analyses read and give: frames and tables come in as Ibis tables, small sorted frames go out."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import ibis
import pandas as pd
import pyarrow as pa
from pandas.tseries.frequencies import to_offset

from qsops import frames
from qsops.compute import answer
from qsops.fold.fingerprints import normalised
from qsops.fold.portable import milliseconds

if TYPE_CHECKING:
    from ibis.expr.types import Table

__all__ = [
    "Rows",
    "at_moments",
    "frame_of",
    "frame_of_table",
    "grouped",
    "moments",
    "of",
    "percent",
    "seconds",
    "width_ms",
]

#: A frame of :mod:`qsops.frames`, or a table of the same columns and the portable ones.
Rows: TypeAlias = "pd.DataFrame | pa.Table | Table"

#: Where each portable column comes from.
_MILLIS: Final = {
    "time_ms": "time",
    "started_ms": "started_at",
    "ended_ms": "ended_at",
    "created_ms": "created_at",
    "finished_ms": "finished_at",
}
_TEXTS: Final = {"error_fingerprint": "error", "body_fingerprint": "response_body", "last_fingerprint": "last_error"}
#: What analyses read of a frame; any other column is somebody's own, whatever it is called.
_FIELDS: Final = {
    field.name: field
    for schema in (frames.ATTEMPTS, frames.MESSAGES, pa.schema([frames.BODIES.field("response_body")]))
    for field in schema
}
_DTYPES: Final = {
    pa.string(): pd.StringDtype(na_value=float("nan")),
    pa.large_string(): pd.StringDtype(na_value=float("nan")),
    pa.float64(): pd.Float64Dtype(),
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.int64()), pd.Int64Dtype()),
}


def of(rows: Rows, *read: str) -> Any:
    """``rows`` as an Ibis table with the portable columns, which are added to frames (:mod:`qsops.fold.portable`).

    A frame may have fewer columns than its schema, and columns of its own, by which analyses can group.

    :raises ValueError: one of the columns ``read`` is missing, as where messages stand in the place of attempts.
    """
    table: Any = rows
    if isinstance(rows, pd.DataFrame):
        table = ibis.memtable(_portable(_arrow(rows)))
    elif isinstance(rows, pa.Table):
        table = ibis.memtable(_portable(rows))
    missing = [(_MILLIS | _TEXTS).get(name, name) for name in read if name not in table.columns]
    if missing:
        raise ValueError(f"the rows have no column {', '.join(missing)}; they have {', '.join(table.columns)}")
    return table


def frame_of(expression: Any) -> pd.DataFrame:
    """The rows of an Ibis expression as a frame: ``Int64``, ``Float64`` and text, in the order in which they come.

    A table is asked in its own engine, frames in DuckDB.
    """
    return frame_of_table(answer(expression))


def frame_of_table(table: pa.Table) -> pd.DataFrame:
    """The rows of an Arrow table as a frame of the same types."""
    whole = [_whole(column) for column in table.columns]
    found: pd.DataFrame = pa.table(whole, names=table.column_names).to_pandas(types_mapper=_DTYPES.get)
    return found


def moments(milliseconds_: pd.Series) -> pd.Series:
    """Unix milliseconds as times of a frame."""
    return pd.to_datetime(milliseconds_, unit="ms", utc=True).astype("datetime64[us, UTC]")


def at_moments(found: pd.DataFrame, bucket: str | None) -> pd.DataFrame:
    """``found`` with its column ``bucket``, of unix milliseconds, as times; as it is where that is None."""
    return found if bucket is None else found.assign(**{bucket: moments(found[bucket])})


def grouped(
    table: Any, by: str | None, every: str | None, time: tuple[str, str], told: Collection[str]
) -> tuple[Any, list[str]]:
    """``table`` and the columns to group it by: the bucket of ``every`` under the first name of ``time``, and ``by``.

    ``time`` is the name of a time and that of its milliseconds. A bucket is its beginning in unix milliseconds.
    ``told`` are the columns that the answer has beside these.

    :raises ValueError: there is no column ``by``, it holds lists, or the answer has one of that name; or ``every`` is
        no width of time.
    """
    if by is not None:
        _check_key(table, by, told if every is None else {*told, time[0]})
    if every is not None:
        name, ms = time
        width = width_ms(every)
        table = table.filter(table[ms].notnull()).mutate(**{name: table[ms] - table[ms] % width})
        return table, [name, *([] if by is None else [by])]
    return table, [] if by is None else [by]


def seconds(ms: pd.Series, digits: int) -> pd.Series:
    """Milliseconds as seconds, rounded to ``digits``, the same on every engine."""
    # Interpolated values differ in their last bits from engine to engine, so that halves are made equal first.
    return (ms.astype("Float64").round(6) / 1000).round(digits)


def percent(part: pd.Series, whole: Any) -> pd.Series:
    """``part`` of ``whole`` in percent, to one decimal."""
    share: pd.Series = 100 * part.astype("Float64") / whole
    return share.round(1)


def width_ms(every: str) -> int:
    """A width of time as pandas spells it (``1min``, ``2h``) in milliseconds.

    :raises ValueError: it is none, or none of whole milliseconds above zero.
    """
    try:
        width: Any = to_offset(every)
        nanoseconds = pd.Timedelta(width).as_unit("ns").value
    except ValueError:
        nanoseconds = 0
    whole_ms, rest = divmod(nanoseconds, 10**6)
    if whole_ms <= 0 or rest:
        raise ValueError(f"every={every!r} is no fixed width of time: name one such as '1min' or '2h'")
    return int(whole_ms)


def _check_key(table: Any, by: str, taken: Collection[str]) -> None:
    if by not in table.columns:
        raise ValueError(f"by={by!r}: the rows have no such column; they have {', '.join(table.columns)}")
    if by in taken:
        raise ValueError(f"by={by!r}: the answer has a column of this name; copy yours to another name")
    if table[by].type().is_nested():
        raise ValueError(
            f"by={by!r}: the column holds lists; make a row of each value first, as DataFrame.explode does"
        )


def _arrow(frame: pd.DataFrame) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for column, values in frame.items():
        name = str(column)
        field = _FIELDS.get(name)
        try:
            columns[name] = pa.array(values, None if field is None else field.type, from_pandas=True)
        except (pa.ArrowException, TypeError):
            if field is not None:
                raise
            # A column of somebody's own that holds objects: nothing here asks for it.
    return pa.table(columns)


def _portable(table: pa.Table) -> pa.Table:
    """The table with those portable columns that it lacks and has the sources of."""
    names = set(table.column_names)
    for name, time in _MILLIS.items():
        if time in names and name not in names:
            table = table.append_column(name, milliseconds(table[time]))
    for name, text in _TEXTS.items():
        if text in names and name not in names:
            table = table.append_column(name, normalised(table[text]))
    if "outcome" in names and "body_fingerprint" not in table.column_names:
        table = table.append_column("body_fingerprint", pa.nulls(table.num_rows, pa.string()))
    return table


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Sums of DuckDB are of 128 bits; all of ours fit into 64."""
    return column.cast(pa.int64()) if pa.types.is_decimal(column.type) else column
