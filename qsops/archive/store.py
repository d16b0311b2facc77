"""The port to where the tables lie: five verbs over immutable files and numbered versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from qsops.archive.layout import Layout

__all__ = ["File", "Overtaken", "Part", "Snapshot", "Store", "holding"]

#: Arrow's name for where a row comes from.
_FILE: Final = "__filename"


class Overtaken(Exception):
    """The table has moved on since ``base`` was read: read anew, and look again."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a table, never changed once it is written. ``path`` is relative to the table, ``uri`` is not.

    ``least`` and ``most`` bound the column that its table is told apart by; None where that has nulls. ``open`` is
    whether its messages are unfinished; None in a table that is not parted.
    """

    path: str
    uri: str
    rows: int
    bytes: int
    least: int | None = None
    most: int | None = None
    open: bool | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a table, or some of its files; it stays readable whatever is written after it."""

    table: str
    version: int
    files: tuple[File, ...]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """How many bytes its files take."""
        return sum(file.bytes for file in self.files)

    @property
    def uris(self) -> list[str]:
        """Where its Parquet files lie: paths, or ``s3://`` addresses."""
        return [file.uri for file in self.files]

    def parted(self, *, open: bool) -> Snapshot:
        """Of a parted table the files of unfinished messages alone, or those of finished ones."""
        return replace(self, files=tuple(file for file in self.files if file.open is open))


@dataclass(frozen=True, slots=True)
class Part:
    """Rows for one file, of exactly the columns of their table, in the order in which they are to lie."""

    rows: pa.Table
    open: bool | None = None


class Store(Protocol):
    """Where the tables of one archive lie.

    All of them raise the tree of :mod:`qsops.errors`: Unreachable, SettingsError for refused credentials, a missing
    bucket or a table of a newer kind, Corrupt where something is gone.
    """

    @property
    def root(self) -> str:
        """Where it is, for messages; holds no secret."""
        ...

    def snapshot(self, layout: Layout, version: int | None = None) -> Snapshot | None:
        """A version of a table, the latest if none is named; None where there is no such table."""
        ...

    def dataset(self, snapshot: Snapshot) -> ds.Dataset:
        """The rows of ``snapshot``, to be read by column and filter."""
        ...

    def put(self, layout: Layout, base: Snapshot | None, add: Iterable[Part], remove: Sequence[File] = ()) -> Snapshot:
        """The next version: ``base`` (None: nothing) without ``remove`` and with ``add``, whatever lies above it.

        What somebody wrote on top of ``base`` is not in the new version, and stays readable in its own.
        """
        ...

    def advance(
        self, layout: Layout, base: Snapshot | None, add: Iterable[Part], remove: Sequence[File] = ()
    ) -> Snapshot:
        """As :meth:`put`, for one of all who have read ``base``.

        :raises Overtaken: somebody else was that one; nothing is changed.
        """
        ...

    def sweep(self, layout: Layout, keep: Sequence[Snapshot], older_than_ms: int) -> int:
        """Delete the files that neither the latest version nor ``keep`` needs: how many.

        Only what has not been needed for ``older_than_ms``, so that readers and writers under way keep what they have.
        """
        ...


def holding(store: Store, snapshot: Snapshot, where: pc.Expression) -> list[File]:
    """The files of ``snapshot`` in which there is a row that ``where`` selects."""
    found = store.dataset(snapshot).to_table(columns=[_FILE], filter=where) if snapshot.files else None
    names = [] if found is None else found[_FILE].unique().to_pylist()
    return [file for file in snapshot.files if any(name.endswith(file.path) for name in names)]
