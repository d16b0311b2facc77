"""Many small files become few large ones, and what nobody needs any more is deleted.

Each sync writes files of its own. Whoever reads a version keeps it: files are replaced in a new version, under a commit
like any other, and deleted only when they have long been replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from qsops.archive.layout import COMMITS, TABLES, Layout
from qsops.archive.reading import committed
from qsops.archive.state import Change, State, amend, load
from qsops.archive.store import File, Overtaken, Part, Snapshot, Store
from qsops.clock import Clock
from qsops.errors import QsopsError, SettingsError

__all__ = ["KEEP_MS", "SHORTEST_KEEP_MS", "Compacted", "compact"]

#: Whoever pinned a version may read it for so long after it was replaced.
KEEP_MS: Final = 7 * 86_400_000
#: A sync that is under way has written files that no version names yet.
SHORTEST_KEEP_MS: Final = 3_600_000
#: A file grows to about this, and is left alone from half of it on: what is rewritten has to fit into memory.
_ROWS: Final = 500_000
_BYTES: Final = 64 * 1024 * 1024
_TURNS: Final = 50


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a table: its files before and after, and how many old ones were deleted."""

    table: str
    files_before: int
    files_after: int
    deleted: int


def compact(store: Store, clock: Clock, *, keep_ms: int = KEEP_MS) -> tuple[Compacted, ...]:
    """Merge small files of all tables, and delete files that were replaced more than ``keep_ms`` ago.

    Rows and their order in time stay as they are; syncs and readers may go on meanwhile.

    :raises SettingsError: there is no archive, or ``keep_ms`` is less than an hour.
    """
    if keep_ms < SHORTEST_KEEP_MS:
        raise SettingsError(f"keep: {keep_ms} ms is too short: readers and syncs under way need at least an hour")
    before = committed(store)
    amend(store, clock, "compact", lambda state: _merged(store, state))
    _merge_commits(store)
    after = load(store)
    return tuple(
        Compacted(layout.name, len(was.files), len(now.files), store.sweep(layout, [now], keep_ms))
        for layout in TABLES.values()
        if (was := _snapshot(before, layout)) is not None and (now := _snapshot(after, layout)) is not None
    )


def _snapshot(state: State, layout: Layout) -> Snapshot | None:
    return state.commits if layout is COMMITS else state.tables.get(layout.name)


def _merged(store: Store, state: State) -> Change | None:
    """Every table of ``state`` with fewer files; None where there are few already."""
    tables = {}
    for name, snapshot in state.tables.items():
        layout, groups = TABLES[name], list(_groups(snapshot.files))
        for group in groups:
            parts = [Part(_rows(store, layout, snapshot, group), open=group[0].open)]
            snapshot = store.put(layout, snapshot, parts, group)
        if groups:
            tables[name] = snapshot
    return Change(tables) if tables else None


def _merge_commits(store: Store) -> None:
    """The commits themselves have a file each; a sync that commits meanwhile comes first, and stays."""
    for _ in range(_TURNS):
        snapshot = load(store).commits
        if snapshot is None or len(snapshot.files) < 2:
            return
        try:
            store.advance(COMMITS, snapshot, [Part(_rows(store, COMMITS, snapshot, snapshot.files))], snapshot.files)
        except Overtaken:
            continue
        return
    raise QsopsError(f"{store.root}: {_TURNS} commits came first: let fewer syncs run at once")


def _groups(files: Sequence[File]) -> Iterator[list[File]]:
    """Files that become one, those next to each other in time; of a table whose parts stay apart."""
    kinds: dict[tuple[bool | None, bool], list[File]] = {}
    for file in files:
        if file.rows < _ROWS // 2 and file.bytes < _BYTES // 2:
            # One with nulls tells no range: among others it would take theirs away.
            kinds.setdefault((file.open, file.least is None), []).append(file)
    for small in kinds.values():
        group: list[File] = []
        for file in sorted(small, key=lambda one: (one.least or 0, one.path)):
            if group and (_sum(group, "rows") + file.rows > _ROWS or _sum(group, "bytes") + file.bytes > _BYTES):
                yield from _worth_it(group)
                group = []
            group.append(file)
        yield from _worth_it(group)


def _worth_it(group: list[File]) -> Iterator[list[File]]:
    if len(group) > 1:
        yield group


def _sum(group: Sequence[File], what: str) -> int:
    return sum(getattr(file, what) for file in group)


def _rows(store: Store, layout: Layout, snapshot: Snapshot, group: Sequence[File]) -> pa.Table:
    """The rows of some files, in the order of the column by which the table is told apart."""
    return store.dataset(replace(snapshot, files=tuple(group))).to_table().sort_by(layout.by)
