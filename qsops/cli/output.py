"""How a frame leaves a command: a table for eyes, JSON, CSV or parquet for programs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qsops.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AsJson",
    "Format",
    "Out",
    "cells_of",
    "json_of",
    "print_frame",
    "print_json",
    "print_record",
    "print_table",
    "watched",
]


class Format(StrEnum):
    """In which form rows are written."""

    table = "table"
    json = "json"
    csv = "csv"
    parquet = "parquet"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there instead of to stdout.")]

_LARGE = 100
_BINARY_ON_A_TERMINAL = "parquet is binary: name a file with --out, or lead stdout into one"


def print_frame(
    frame: pd.DataFrame, form: Format, *, columns: list[str] | None = None, out: Path | None = None
) -> None:
    """Write ``frame`` to ``out`` or stdout; as a table only ``columns``, and of those only what holds a value.

    :raises SettingsError: parquet is asked for on a terminal, or cannot hold a column.
    """
    if form is Format.parquet:
        _write_bytes(_parquet_of(frame), out)
    elif form is Format.csv:
        _write_bytes(frame.to_csv(index=False).encode(), out)
    elif form is Format.json:
        _write_bytes(json_of(frame).encode(), out)
    else:
        shown = frame[[name for name in columns or frame.columns if name in frame]].dropna(axis="columns", how="all")
        print_table([str(name) for name in shown.columns], cells_of(shown), out=out)


def cells_of(frame: pd.DataFrame) -> list[list[str]]:
    """Each value as a person reads it: times to the millisecond in UTC, nothing for what is null."""
    return [[_cell(value) for value in row] for row in frame.itertuples(index=False)]


def json_of(frame: pd.DataFrame, *, lines: bool = False) -> str:
    """The rows as one JSON array, or one object a line; times are ISO 8601 in UTC."""
    text = frame.to_json(
        orient="records", lines=lines, date_format="iso", date_unit="us", force_ascii=False, default_handler=str
    )
    # pandas escapes each slash, which JSON allows and nobody can read.
    text = text.replace("\\/", "/")
    return text if text.endswith("\n") else f"{text}\n"


def _parquet_of(frame: pd.DataFrame) -> bytes:
    from pyarrow import ArrowException

    try:
        return frame.to_parquet(index=False)
    except ArrowException as error:
        raise SettingsError(f"parquet cannot hold this answer: {error.args[-1]}; ask for csv or json") from error


def print_json(value: Any) -> None:
    """Print ``value`` as indented JSON."""
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_record(frame: pd.DataFrame, *, as_json: bool) -> None:
    """Print the one row of ``frame``, a line a field that holds a value; as JSON one object with all of them."""
    if as_json:
        import json

        print_json(json.loads(json_of(frame, lines=True)))
        return
    shown = frame.dropna(axis="columns", how="all")
    print_table(["field", "value"], [list(pair) for pair in zip(shown.columns, *cells_of(shown), strict=True)])


def print_table(columns: list[str], rows: list[list[str]], *, out: Path | None = None) -> None:
    """Print ``rows`` under ``columns``, as wide as they are: a cut id is no id. Without rows that is said on stderr."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo("nothing found", err=True)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        # Text, not markup: a bracket stays a bracket.
        table.add_row(*map(Text, row))
    if out is not None:
        with out.open("w", encoding="utf-8") as file:
            Console(file=file, width=_width(columns, rows)).print(table)
        return
    Console(width=_width(columns, rows), soft_wrap=True).print(table)


def watched() -> bool:
    """Whether somebody sees a progress bar."""
    return sys.stderr.isatty()


def _width(columns: list[str], rows: list[list[str]]) -> int:
    from rich.cells import cell_len

    return sum(max(map(cell_len, cells)) + 3 for cells in zip(columns, *rows, strict=True)) + 2


def _cell(value: Any) -> str:
    import pandas as pd

    if isinstance(value, (list, tuple)) or type(value).__name__ == "ndarray":
        return ", ".join(map(str, value))
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return ""
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}"
    if isinstance(value, float):
        return _number(value)
    # What came over the wire is text: it moves no cursor and colours nothing.
    return "".join(c if c.isprintable() else "�" for c in str(value))


def _number(value: float) -> str:
    """To one decimal, and small ones to three where one says too little: cents, and shares that hardly differ."""
    if abs(value) >= _LARGE or round(value, 1) == value:
        return f"{value:.1f}"
    digits = f"{value:.3f}".rstrip("0")
    return f"{digits}0" if digits.endswith(".") else digits


def _write_bytes(content: bytes, out: Path | None) -> None:
    if out is not None:
        out.write_bytes(content)
        return
    if sys.stdout.isatty() and b"\0" in content:
        raise SettingsError(_BINARY_ON_A_TERMINAL)
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
