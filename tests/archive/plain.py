"""The port without Delta, quick enough for thousands of syncs: Parquet files in a folder, versions in memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from qsops.archive.layout import TABLES, Layout
from qsops.archive.store import File, Overtaken, Part, Snapshot

__all__ = ["PlainStore"]


class PlainStore:
    """A store of one process; its threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions: dict[str, list[tuple[File, ...]]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    @property
    def root(self) -> str:
        return str(self._folder)

    def snapshot(self, layout: Layout, version: int | None = None) -> Snapshot | None:
        versions = self._versions.get(layout.name)
        if versions is None:
            return None
        number = len(versions) - 1 if version is None else version
        return Snapshot(layout.name, number, versions[number])

    def dataset(self, snapshot: Snapshot) -> ds.Dataset:
        files = [file.uri for file in snapshot.files]
        return ds.dataset(files, schema=TABLES[snapshot.table].schema, format="parquet")

    def put(self, layout: Layout, base: Snapshot | None, add: Iterable[Part], remove: Sequence[File] = ()) -> Snapshot:
        wanted = self._wanted(layout, base, add, remove)
        with self._lock:
            versions = self._versions.setdefault(layout.name, [()])
            versions.append(wanted)
            return Snapshot(layout.name, len(versions) - 1, wanted)

    def advance(
        self, layout: Layout, base: Snapshot | None, add: Iterable[Part], remove: Sequence[File] = ()
    ) -> Snapshot:
        wanted = self._wanted(layout, base, add, remove)
        with self._lock:
            versions = self._versions.setdefault(layout.name, [()])
            if len(versions) - 1 != (0 if base is None else base.version):
                raise Overtaken
            versions.append(wanted)
            return Snapshot(layout.name, len(versions) - 1, wanted)

    def sweep(self, layout: Layout, keep: Sequence[Snapshot], older_than_ms: int) -> int:
        needed = {file.uri for snapshot in keep for file in snapshot.files}
        needed |= {file.uri for file in (self._versions.get(layout.name) or [()])[-1]}
        gone = [path for path in self._folder.glob(f"{layout.name}-*") if str(path) not in needed]
        for path in gone:
            path.unlink()
        return len(gone)

    def _wanted(
        self, layout: Layout, base: Snapshot | None, add: Iterable[Part], remove: Sequence[File]
    ) -> tuple[File, ...]:
        gone = {file.path for file in remove}
        kept = [file for file in (base.files if base else ()) if file.path not in gone]
        return (*kept, *(self._written(layout, part) for part in add if part.rows.num_rows))

    def _written(self, layout: Layout, part: Part) -> File:
        path = self._folder / f"{layout.name}-{next(self._numbers)}.parquet"
        rows: pa.Table = part.rows.select(layout.schema.names).cast(layout.schema)
        pq.write_table(rows, path, compression="none", use_dictionary=False)
        ends = pc.min_max(rows[layout.by])
        bounds = (None, None) if rows[layout.by].null_count else (ends["min"].as_py(), ends["max"].as_py())
        return File(path.name, str(path), rows.num_rows, path.stat().st_size, *bounds, part.open)
