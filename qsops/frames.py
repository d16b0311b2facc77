"""The frames: one Arrow schema each, and the one cast at every exit.

Times are ``datetime64[us, UTC]``, text is ``str`` (Arrow-backed), counts are ``Int64``, durations end in their unit. A
frame has the same columns in the same order whether it holds a million rows or none. Labels stand comma-separated, as
they do on the wire, where a label cannot hold a comma.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from qsops.models import Headers, LogEntry

__all__ = [
    "ATTEMPTS",
    "BODIES",
    "ENTRIES",
    "LOGS",
    "MESSAGES",
    "PORTABLE_ATTEMPTS",
    "PORTABLE_LOGS",
    "PORTABLE_MESSAGES",
    "cast",
    "entries",
    "entry_table",
    "fitting",
    "logs",
    "logs_of",
    "of_table",
]

_TIME = pa.timestamp("us", "UTC")
_MILLIS = pa.timestamp("ms", "UTC")
#: A time in milliseconds must fit as microseconds.
_LARGEST = 9 * 10**15

#: A log entry by itself; among others it has a number, too.
ENTRIES = pa.schema(
    [
        ("time", _TIME),
        ("message_id", pa.string()),
        ("state", pa.string()),
        ("url", pa.string()),
        ("url_group", pa.string()),
        ("endpoint", pa.string()),
        ("queue", pa.string()),
        ("schedule_id", pa.string()),
        ("labels", pa.string()),
        ("method", pa.string()),
        ("response_status", pa.int64()),
        ("error", pa.string()),
        ("next_delivery_at", _TIME),
        ("max_retries", pa.int64()),
        ("retry_delay_expression", pa.string()),
        ("flow_control_key", pa.string()),
        ("caller_ip", pa.string()),
    ]
)
LOGS = ENTRIES.append(pa.field("seq", pa.int64()))

#: What ``bodies=True`` adds: headers as ``Name: value`` lines, bodies as text (or base64 where they are no UTF-8).
BODIES = pa.schema(
    [
        ("headers", pa.string()),
        ("body", pa.string()),
        ("response_headers", pa.string()),
        ("response_body", pa.string()),
    ]
)

ATTEMPTS = pa.schema(
    [
        ("message_id", pa.string()),
        ("attempt", pa.int64()),
        ("url", pa.string()),
        ("label", pa.string()),
        ("queue", pa.string()),
        ("started_at", _TIME),
        ("ended_at", _TIME),
        ("duration_ms", pa.int64()),
        ("outcome", pa.string()),
        ("response_status", pa.int64()),
        ("error", pa.string()),
        ("wait_ms", pa.int64()),
    ]
)

MESSAGES = pa.schema(
    [
        ("message_id", pa.string()),
        ("url", pa.string()),
        ("label", pa.string()),
        ("queue", pa.string()),
        ("schedule_id", pa.string()),
        ("created_at", _TIME),
        ("finished_at", _TIME),
        ("state", pa.string()),
        ("attempts", pa.int64()),
        ("time_to_deliver_ms", pa.int64()),
        ("last_status", pa.int64()),
        ("last_error", pa.string()),
    ]
)

#: The same three with the columns that :mod:`qsops.fold.portable` adds: what tables hold that others read as well.
PORTABLE_LOGS = LOGS.append(pa.field("time_ms", pa.int64()))
PORTABLE_ATTEMPTS = pa.unify_schemas(
    [
        ATTEMPTS,
        pa.schema(
            [
                ("started_ms", pa.int64()),
                ("ended_ms", pa.int64()),
                ("error_fingerprint", pa.string()),
                ("body_fingerprint", pa.string()),
            ]
        ),
    ]
)
PORTABLE_MESSAGES = pa.unify_schemas(
    [
        MESSAGES,
        pa.schema([("created_ms", pa.int64()), ("finished_ms", pa.int64()), ("last_fingerprint", pa.string())]),
    ]
)

#: Entries that are equal in these are told apart by a number.
_IDENTITY = ["message_id", "time", "state"]
_DTYPES = {
    pa.string(): pd.StringDtype(na_value=float("nan")),
    pa.int64(): pd.Int64Dtype(),
    _TIME: pd.DatetimeTZDtype("us", "UTC"),
}


def cast(frame: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """``frame`` with exactly the columns of ``schema``, in its order and types, numbered from 0."""
    columns = {field.name: frame[field.name].astype(_DTYPES[field.type]) for field in schema}
    return pd.DataFrame(columns).reset_index(drop=True)


def of_table(table: pa.Table, schema: pa.Schema) -> pd.DataFrame:
    """An Arrow table as a frame, cast to ``schema``."""
    frame: pd.DataFrame = table.select(schema.names).cast(schema).to_pandas(types_mapper=_DTYPES.get)
    return frame


def entry_table(columns: Mapping[str, Sequence[Any]], *, bodies: bool = False) -> pa.Table:
    """Columns of :data:`ENTRIES` (and :data:`BODIES`) as a table; times are unix milliseconds.

    :raises pyarrow.ArrowException, OverflowError, UnicodeError: when a value does not fit its column.
    """
    schema = _with_bodies(ENTRIES) if bodies else ENTRIES
    arrays = [
        pa.array(columns[field.name], _MILLIS).cast(_TIME)
        if field.type == _TIME
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def entries(found: Iterable[LogEntry], *, bodies: bool = False) -> pa.Table:
    """Log entries as a table of :data:`ENTRIES` (and :data:`BODIES`), in their order.

    What no column can hold is kept as well as it can be: half of a surrogate pair as U+FFFD, a number that is larger
    than any time as a missing one.
    """
    rows = [_row(entry, bodies) for entry in found]
    names = _with_bodies(ENTRIES).names if bodies else ENTRIES.names
    columns = {name: [row[name] for row in rows] for name in names}
    try:
        return entry_table(columns, bodies=bodies)
    except (pa.ArrowException, OverflowError, UnicodeError):
        fitted = {name: list(map(fitting, values)) for name, values in columns.items()}
        fitted["time"] = [time or 0 for time in fitted["time"]]
        return entry_table(fitted, bodies=bodies)


def logs_of(tables: Sequence[pa.Table], *, bodies: bool = False) -> pd.DataFrame:
    """Tables of entries, the oldest first, as one frame of :data:`LOGS` (and :data:`BODIES`), oldest first.

    ``seq`` numbers entries of equal message, time and state from 0, in the order in which they came.
    """
    schema = _with_bodies(ENTRIES) if bodies else ENTRIES
    frame = of_table(pa.concat_tables([schema.empty_table(), *tables]), schema)
    frame["seq"] = _numbers(frame)
    return cast(frame.sort_values("time", kind="stable"), _with_bodies(LOGS) if bodies else LOGS)


def _numbers(frame: pd.DataFrame) -> pd.Series[int]:
    """Of each entry, how many equal ones came before it; few are looked at closely, since few have the same time."""
    numbers = pd.Series(0, index=frame.index)
    shared = frame.loc[frame["time"].duplicated(keep=False), _IDENTITY]
    equal = shared[shared.duplicated(keep=False)]
    if len(equal):
        numbers[equal.index] = equal.groupby(_IDENTITY, dropna=False).cumcount()
    return numbers


def logs(found: Iterable[LogEntry], bodies: bool = False) -> pd.DataFrame:
    """Log entries, the oldest first, as :func:`logs_of` makes a frame of their table."""
    return logs_of([entries(found, bodies=bodies)], bodies=bodies)


def _with_bodies(schema: pa.Schema) -> pa.Schema:
    return pa.unify_schemas([schema, BODIES])


def fitting(value: Any) -> Any:
    """``value`` as a column can hold it: a number that is too large is null, half of a surrogate pair is replaced."""
    if isinstance(value, str):
        return value.encode(errors="surrogatepass").decode(errors="replace")
    return value if value is None or abs(value) < _LARGEST else None


def _row(entry: LogEntry, bodies: bool) -> dict[str, Any]:
    row = {
        "time": entry.time_ms,
        "message_id": entry.message_id,
        "state": entry.state,
        "url": entry.url,
        "url_group": entry.url_group,
        "endpoint": entry.endpoint,
        "queue": entry.queue,
        "schedule_id": entry.schedule_id,
        "labels": ",".join(entry.labels) or None,
        "method": entry.method,
        "response_status": entry.response_status,
        "error": entry.error,
        "next_delivery_at": entry.next_delivery_ms,
        "max_retries": entry.max_retries,
        "retry_delay_expression": entry.retry_delay,
        "flow_control_key": entry.flow_control.key if entry.flow_control else None,
        "caller_ip": entry.caller_ip,
    }
    if not bodies:
        return row
    return row | {
        "headers": _lines(entry.headers),
        "body": _text(entry.body),
        "response_headers": _lines(entry.response_headers),
        "response_body": _text(entry.response_body),
    }


def _lines(headers: Headers) -> str | None:
    return "\n".join(f"{name}: {value}" for name, value in headers) or None


def _text(body: bytes | None) -> str | None:
    if body is None:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()
