"""The port's adapter to Delta Lake: tables in a folder or on S3, which anything that reads Delta can read.

We write the Parquet files, and commit them by adding and removing them by name. So a version says exactly what it is
meant to, also where somebody else's unfinished work lies on top of what was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import FileSystem, LocalFileSystem, PyFileSystem

from qsops.archive.faults import reported, whole_log
from qsops.archive.layout import TABLES, Layout
from qsops.archive.store import File, Overtaken, Part, Snapshot
from qsops.clock import Clock, Ids, SystemIds
from qsops.errors import QsopsError

__all__ = ["DeltaStore"]

#: Writers that lose a race begin anew; each time another one has won.
_TRIES: Final = 100
#: As DuckDB reads them: one group is the work of one thread.
_ROW_GROUP: Final = 122_880
_OPEN: Final = "open"
#: Delta removes versions after 30 days, also one that is named by the latest commit.
_CONFIGURATION: Final = {"delta.enableExpiredLogCleanup": "false"}
_HOUR_MS: Final = 3_600_000


class DeltaStore:
    """Tables under ``root``, a folder or an ``s3://`` prefix; ``options`` are those of the object store.

    ``ids`` name the files: two writers must never make the same one, so that seeded ids do not serve.
    """

    def __init__(self, root: str, clock: Clock, options: Mapping[str, str] | None = None, ids: Ids | None = None):
        self._root = root.rstrip("/")
        self._clock = clock
        self._options = dict(options or {})
        self._ids = ids or SystemIds(clock)

    @property
    def root(self) -> str:
        return self._root

    def snapshot(self, layout: Layout, version: int | None = None) -> Snapshot | None:
        with reported(self._root):
            table = self._opened(layout, version)
            return None if table is None else Snapshot(layout.name, table.version(), self._files(layout, table))

    def dataset(self, snapshot: Snapshot) -> ds.Dataset:
        layout, parquet = TABLES[snapshot.table], ds.ParquetFileFormat()
        with reported(self._root):
            files, base = self._filesystem(layout)
            fragments = [
                parquet.make_fragment(base + file.path, files, partition_expression=_bounds(layout, file))
                for file in snapshot.files
            ]
            return ds.FileSystemDataset(fragments, layout.schema, parquet, files)

    def put(self, layout: Layout, base: Snapshot | None, add: Iterable[Part], remove: Sequence[File] = ()) -> Snapshot:
        with reported(self._root):
            wanted = self._wanted(layout, base, add, remove)
            for _ in range(_TRIES):
                try:
                    return self._commit(layout, self._opened(layout) or self._created(layout), wanted)
                except CommitFailedError:
                    continue  # Somebody wrote meanwhile: what differs from their version is another thing.
        raise QsopsError(f"{self._root}: table {layout.name!r} was written {_TRIES} times meanwhile: try again later")

    def advance(
        self, layout: Layout, base: Snapshot | None, add: Iterable[Part], remove: Sequence[File] = ()
    ) -> Snapshot:
        with reported(self._root):
            table = self._opened(layout) or self._created(layout)
            if table.version() != (0 if base is None else base.version):
                raise Overtaken(layout.name)
            try:
                return self._commit(layout, table, self._wanted(layout, base, add, remove))
            except CommitFailedError as error:
                raise Overtaken(layout.name) from error

    def sweep(self, layout: Layout, keep: Sequence[Snapshot], older_than_ms: int) -> int:
        with reported(self._root):
            table = self._opened(layout)
            if table is None:
                return 0
            gone = table.vacuum(
                # In whole hours: rather a little longer than too short.
                retention_hours=-(-older_than_ms // _HOUR_MS),
                enforce_retention_duration=False,
                dry_run=False,
                full=True,
                keep_versions=[snapshot.version for snapshot in keep],
            )
            return len(gone)

    def _uri(self, layout: Layout) -> str:
        return f"{self._root}/{layout.name}"

    def _opened(self, layout: Layout, version: int | None = None) -> DeltaTable | None:
        try:
            with whole_log(self._uri(layout), version):
                return DeltaTable(self._uri(layout), version=version, storage_options=self._options)
        except TableNotFoundError:
            return None

    def _created(self, layout: Layout) -> DeltaTable:
        schema = layout.schema.append(pa.field(_OPEN, pa.bool_())) if layout.parted else layout.schema
        DeltaTable.create(
            self._uri(layout),
            schema,
            mode="ignore",
            partition_by=[_OPEN] if layout.parted else None,
            configuration=_CONFIGURATION,
            storage_options=self._options,
        )
        return DeltaTable(self._uri(layout), storage_options=self._options)

    def _files(self, layout: Layout, table: DeltaTable) -> tuple[File, ...]:
        found = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        files = [
            File(
                path=one["path"],
                uri=f"{self._uri(layout)}/{one['path']}",
                rows=one["num_records"] or 0,
                bytes=one["size_bytes"],
                least=one.get(f"min.{layout.by}"),
                most=one.get(f"max.{layout.by}"),
                open=one.get(f"partition.{_OPEN}"),
            )
            for one in found
        ]
        return tuple(sorted(files, key=_name))

    def _wanted(
        self, layout: Layout, base: Snapshot | None, add: Iterable[Part], remove: Sequence[File]
    ) -> tuple[File, ...]:
        gone = {file.path for file in remove}
        kept = [file for file in (base.files if base else ()) if file.path not in gone]
        return (*kept, *(self._written(layout, part) for part in add if part.rows.num_rows))

    def _commit(self, layout: Layout, table: DeltaTable, wanted: tuple[File, ...]) -> Snapshot:
        """Make ``wanted`` the files of the version that follows that of ``table``.

        :raises CommitFailedError: another version follows it already.
        """
        there = self._files(layout, table)
        now_ms = self._clock.now_ms()
        added = [_addition(layout, file, now_ms) for file in _without(wanted, there)]
        removed = [_removal(file, now_ms) for file in _without(there, wanted)]
        if not added and not removed:
            return Snapshot(layout.name, table.version(), wanted)
        table.create_write_transaction(
            [*added, *removed],
            mode="append",
            schema=table.schema(),
            partition_by=[_OPEN] if layout.parted else None,
            # Left to itself it would be put on top of whatever was written meanwhile.
            commit_properties=CommitProperties(max_commit_retries=0),
        )
        return Snapshot(layout.name, table.version() + 1, wanted)

    def _written(self, layout: Layout, part: Part) -> File:
        folder = "" if part.open is None else f"{_OPEN}={str(part.open).lower()}/"
        path = f"{folder}{self._ids.make('part_')}.parquet"
        files, base = self._filesystem(layout)
        files.create_dir(base + folder)
        with files.open_output_stream(base + path) as stream:
            pq.write_table(
                part.rows.select(layout.schema.names).cast(layout.schema),
                stream,
                row_group_size=_ROW_GROUP,
                compression="zstd",
                use_dictionary=[field.name for field in layout.schema if field.type == pa.string()],
            )
            size = stream.tell()
        least, most = _range(part.rows[layout.by])
        return File(path, f"{self._uri(layout)}/{path}", part.rows.num_rows, size, least, most, part.open)

    def _filesystem(self, layout: Layout) -> tuple[FileSystem, str]:
        """A file system, and what stands there before the paths of the table's files."""
        if "://" in self._root:
            return PyFileSystem(DeltaStorageHandler(self._uri(layout), self._options)), ""
        return LocalFileSystem(), f"{self._uri(layout)}/"


def _name(file: File) -> str:
    """Files are named by when they were made."""
    return PurePosixPath(file.path).name


def _without(files: Sequence[File], others: Sequence[File]) -> list[File]:
    paths = {file.path for file in others}
    return [file for file in files if file.path not in paths]


def _addition(layout: Layout, file: File, now_ms: int) -> AddAction:
    bounded = file.least is not None
    stats = {
        "numRecords": file.rows,
        "minValues": {layout.by: file.least} if bounded else {},
        "maxValues": {layout.by: file.most} if bounded else {},
        "nullCount": {layout.by: 0} if bounded else {},
    }
    return AddAction(file.path, file.bytes, _partition(file), now_ms, True, json.dumps(stats))


def _removal(file: File, now_ms: int) -> RemoveAction:
    return RemoveAction(file.path, True, now_ms, file.bytes, _partition(file))


def _partition(file: File) -> dict[str, str | None]:
    return {} if file.open is None else {_OPEN: str(file.open).lower()}


def _range(column: pa.ChunkedArray) -> tuple[int | None, int | None]:
    if column.null_count:
        return None, None
    ends = pc.min_max(column)
    return ends["min"].as_py(), ends["max"].as_py()


def _bounds(layout: Layout, file: File) -> pc.Expression:
    if file.least is None:
        return pc.scalar(True)
    return (pc.field(layout.by) >= file.least) & (pc.field(layout.by) <= file.most)
