"""What a commit notes of each table that it names, so that one that has lost files by the next look is told: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from qsops.archive.layout import COMMITS
from qsops.archive.store import Snapshot

__all__ = ["Mark", "decoded", "difference", "encoded", "is_latest", "mark"]

_SHOWN: Final = 16


@dataclass(frozen=True, slots=True)
class Mark:
    """A version of a table: its rows, how many files they lie in, and a fingerprint of those files' names.

    Files are named once and never changed, so that equal names are equal rows.
    """

    version: int
    rows: int
    files: int
    names: str


def mark(snapshot: Snapshot) -> Mark:
    """What is noted of ``snapshot``: known from Delta's log alone, no file is opened."""
    names = "\n".join(sorted(file.path for file in snapshot.files))
    fingerprint = hashlib.sha256(names.encode()).hexdigest()[:_SHOWN]
    return Mark(snapshot.version, snapshot.rows, len(snapshot.files), fingerprint)


def difference(noted: Mark, snapshot: Snapshot) -> str | None:
    """How ``snapshot`` differs from what was ``noted`` of it, in words; None where it does not."""
    found = mark(snapshot)
    if found == noted:
        return None
    if (found.rows, found.files) == (noted.rows, noted.files):
        return f"{noted.rows} rows in {noted.files} files were committed, and other files are there"
    return f"{noted.rows} rows in {noted.files} files were committed, and {found.rows} in {found.files} are there"


def is_latest(written: int, commits: Snapshot) -> bool:
    """Whether the commit that was ``written`` as a version of ``commits`` is the last one of it.

    A version above it adds a commit, or is a compaction's, which leaves one file with the rows of several.
    """
    if commits.version == written:
        return True
    return commits.version == written + 1 and len(commits.files) == 1 and commits.rows > 1


def encoded(marks: Mapping[str, Mark], written: int, rows: int) -> list[dict[str, Any]]:
    """``marks`` by table as the column ``tables`` holds them, with the version and rows of the commits themselves."""
    return [
        *(
            {"name": name, "version": one.version, "rows": one.rows, "files": one.files, "names": one.names}
            for name, one in sorted(marks.items())
        ),
        {"name": COMMITS.name, "version": written, "rows": rows, "files": None, "names": None},
    ]


def decoded(noted: Iterable[Mapping[str, Any]] | None) -> tuple[dict[str, Mark], int | None]:
    """The marks by table, and the version that the commit was written as; nothing of a commit that noted nothing."""
    marks, written = {}, None
    for one in noted or ():
        if one["name"] == COMMITS.name:
            written = one["version"]
        else:
            marks[one["name"]] = Mark(one["version"], one["rows"], one["files"], one["names"])
    return marks, written
