"""Where many messages come from: rows, a frame, or a file that is read as it is needed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from qsops.errors import SettingsError

__all__ = ["Row", "count_rows", "read_rows"]

Row = Mapping[str, Any]

PARQUET_BATCH: Final = 1000


def read_rows(source: Any) -> Iterator[Row]:
    """The rows of a frame, an iterable of mappings, or a file: ``.jsonl``, ``.ndjson``, ``.csv`` or ``.parquet``.

    CSV knows no types: its values stay text, and an empty one is none. The file is read as it is needed.

    :raises SettingsError: the source or one of its rows cannot be read; a row is named by its number from 1.
    """
    if isinstance(source, (str, Path)):
        return _of_file(Path(source))
    to_dict = getattr(source, "to_dict", None)
    if callable(to_dict) and hasattr(source, "columns"):
        return _of_frame(source)
    if isinstance(source, Iterable) and not isinstance(source, Mapping):
        return _of_mappings(source)
    raise SettingsError(f"rows: expected rows, a frame or a file's path, got {type(source).__name__}")


def count_rows(source: Any) -> int | None:
    """How many rows there are, where that is known without reading them: for a progress bar."""
    return None if isinstance(source, (str, Path)) or not hasattr(source, "__len__") else len(source)


def _of_mappings(rows: Iterable[Any]) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise SettingsError(f"row {number}: expected a mapping of columns, got {type(row).__name__}")
        yield row


def _of_frame(frame: Any) -> Iterator[Row]:
    names = [str(name) for name in frame.columns]
    return (dict(zip(names, values, strict=True)) for values in frame.itertuples(index=False, name=None))


def _of_file(path: Path) -> Iterator[Row]:
    readers = {".jsonl": _of_jsonl, ".ndjson": _of_jsonl, ".csv": _of_csv, ".parquet": _of_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SettingsError(f"rows: {str(path)!r} is none of {', '.join(readers)}")
    if not path.is_file():
        raise SettingsError(f"rows: there is no file {str(path)!r}")
    return reader(path)


def _of_jsonl(path: Path) -> Iterator[Row]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise SettingsError(f"{path.name}, line {number}: no JSON: {error}") from error
            if not isinstance(row, dict):
                raise SettingsError(f"{path.name}, line {number}: expected a JSON object, got {type(row).__name__}")
            yield row


def _of_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        try:
            for number, row in enumerate(csv.DictReader(lines, strict=True), 2):
                if None in row or None in row.values():
                    raise SettingsError(f"{path.name}, line {number}: not as many values as the header has columns")
                yield {name: value if value else None for name, value in row.items()}
        except (csv.Error, UnicodeDecodeError) as error:
            raise SettingsError(f"{path.name}: no CSV in UTF-8: {error}") from error


def _of_parquet(path: Path) -> Iterator[Row]:
    # Arrow takes a tenth of a second to load, which a file of lines does without.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(PARQUET_BATCH):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise SettingsError(f"{path.name}: no parquet: {error}") from error
