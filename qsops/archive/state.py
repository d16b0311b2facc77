"""Commits: which versions of the tables belong together, one after the other, and the one way to add to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from qsops.archive.layout import COMMITS, FORMAT, LOGS, TABLES
from qsops.archive.marks import Mark, decoded, difference, encoded, is_latest, mark
from qsops.archive.spans import Span
from qsops.archive.store import Overtaken, Part, Snapshot, Store
from qsops.clock import Clock
from qsops.errors import Corrupt, QsopsError, SettingsError

__all__ = ["Change", "Commit", "State", "amend", "load"]

#: Somebody else wins a turn only by committing, so that as many others would have to come in between.
_TURNS: Final = 50
_REMEDY: Final = "its _delta_log was cut: restore that folder from a backup, or begin another archive"


@dataclass(frozen=True, slots=True)
class Commit:
    """One step of an archive: who made it, what it took in, and the ``versions`` of the tables after it.

    ``covered`` are all ranges that were pulled so far, united; both ends included. ``marks`` is what it noted of the
    tables, and ``written`` the version of the commits that it was; an older qsops noted neither.
    """

    number: int
    time_ms: int
    kind: str
    versions: Mapping[str, int]
    covered: tuple[Span, ...] = ()
    span: Span | None = None
    entries: int = 0
    added: int = 0
    malformed: int = 0
    marks: Mapping[str, Mark] = field(default_factory=dict)
    written: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What a commit names, pinned; ``commit`` is None before the first one."""

    commit: Commit | None
    commits: Snapshot | None
    tables: Mapping[str, Snapshot]

    @property
    def covered(self) -> tuple[Span, ...]:
        """The ranges that the archive has pulled, oldest first."""
        return self.commit.covered if self.commit else ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit changes: the tables that were written anew, and what it says of itself."""

    tables: Mapping[str, Snapshot]
    covered: tuple[Span, ...] | None = None
    span: Span | None = None
    entries: int = 0
    added: int = 0
    malformed: int = 0


def load(store: Store) -> State:
    """The latest commit of the archive, and the versions that it names.

    :raises Corrupt: a table that it names is gone or is not what was committed, or there are tables without commits.
    :raises SettingsError: it was written by a newer qsops.
    """
    commits = store.snapshot(COMMITS)
    if commits is None or not commits.rows:
        if commits is None and (logs := store.snapshot(LOGS)) is not None and logs.rows:
            if store.snapshot(COMMITS) is not None:
                return load(store)  # Somebody began the archive between the two looks.
            raise Corrupt(f"{store.root} has logs but no commits: restore the folder, or begin another archive")
        return State(None, commits, {})
    # Commits are numbered from 0 without a gap, and never removed.
    number = max((file.most for file in commits.files if file.most is not None), default=-1)
    if number != commits.rows - 1:
        raise Corrupt(
            f"{store.root}: table {COMMITS.name!r} version {commits.version}: commits up to {number} need "
            f"{number + 1} rows, and {commits.rows} are there: {_REMEDY}"
        )
    found = store.dataset(commits).to_table(filter=pc.field("commit") == number).to_pylist()
    if len(found) != 1:
        raise Corrupt(f"{store.root}: commit {number} is there {len(found)} times: {_REMEDY}")
    _check_format(store, found[0]["format"])
    commit = _decoded(found[0])
    if commit.written is not None and not is_latest(commit.written, commits):
        raise Corrupt(
            f"{store.root}: table {COMMITS.name!r} version {commits.version} has no commit of its own, the last is "
            f"{number} of version {commit.written}: {_REMEDY}"
        )
    return State(commit, commits, {name: _pinned(store, commit, name) for name in commit.versions if name in TABLES})


def amend(store: Store, clock: Clock, kind: str, change: Callable[[State], Change | None]) -> Commit | None:
    """Do ``change`` to the latest state, once, whoever else is at it: the commit, or None if nothing was to be done.

    ``change`` writes tables by :meth:`Store.put` on the versions it is given. If another commit came first, it is
    called again with that one's state: what it wrote before is in no commit, and nobody of ours will see it.
    """
    for _ in range(_TURNS):
        state = load(store)
        if state.commits is None:
            state = _begun(store)
        wanted = change(state)
        if wanted is None:
            return None
        commit = _following(state, wanted, kind, clock)
        try:
            store.advance(COMMITS, state.commits, [Part(_encoded(commit))])
        except Overtaken:
            continue
        return commit
    raise QsopsError(f"{store.root}: {_TURNS} other commits came first: let fewer syncs run at once")


def _begun(store: Store) -> State:
    """Make the table of commits, first of all: where it is missing beside others, somebody has deleted it."""
    try:
        store.advance(COMMITS, None, [])
    except Overtaken:
        pass  # Another one has begun, and committed.
    return load(store)


def _following(state: State, change: Change, kind: str, clock: Clock) -> Commit:
    before = state.commit
    tables = {**state.tables, **change.tables}
    versions = {name: snapshot.version for name, snapshot in tables.items()}
    marks = {name: mark(snapshot) for name, snapshot in tables.items()}
    return Commit(
        number=0 if before is None else before.number + 1,
        time_ms=clock.now_ms(),
        kind=kind,
        # A table that a version of ours does not know keeps its place.
        versions={**(before.versions if before else {}), **versions},
        covered=state.covered if change.covered is None else change.covered,
        span=change.span,
        entries=change.entries,
        added=change.added,
        malformed=change.malformed,
        marks={**(before.marks if before else {}), **marks},
        # The condition on which it is written: that it follows these.
        written=None if state.commits is None else state.commits.version + 1,
    )


def _pinned(store: Store, commit: Commit, name: str) -> Snapshot:
    version = commit.versions[name]
    snapshot = store.snapshot(TABLES[name], version)
    if snapshot is None:
        raise Corrupt(
            f"{store.root}: table {name!r} is gone, of which commit {commit.number} names version {version}: "
            "restore it from a backup, or begin another archive"
        )
    if (noted := commit.marks.get(name)) is not None and (lacking := difference(noted, snapshot)) is not None:
        raise Corrupt(f"{store.root}: table {name!r} version {version}: {lacking}: {_REMEDY}")
    return snapshot


def _check_format(store: Store, found: int) -> None:
    if found > FORMAT:
        raise SettingsError(
            f"{store.root} was written by a newer qsops (format {found}, this one reads up to {FORMAT}): update qsops"
        )


def _encoded(commit: Commit) -> pa.Table:
    from_ms, to_ms = commit.span or (None, None)
    row = {
        "commit": commit.number,
        "format": FORMAT,
        "time": commit.time_ms * 1000,
        "kind": commit.kind,
        "from_ms": from_ms,
        "to_ms": to_ms,
        "entries": commit.entries,
        "added": commit.added,
        "malformed": commit.malformed,
        "versions": sorted(commit.versions.items()),
        "covered": [{"from_ms": first, "to_ms": last} for first, last in commit.covered],
        "tables": None if commit.written is None else encoded(commit.marks, commit.written, commit.number + 1),
    }
    return pa.Table.from_pylist([row], schema=COMMITS.schema)


def _decoded(row: Mapping[str, Any]) -> Commit:
    marks, written = decoded(row["tables"])
    return Commit(
        number=row["commit"],
        time_ms=round(row["time"].timestamp() * 1000),
        kind=row["kind"],
        versions=dict(row["versions"]),
        covered=tuple((span["from_ms"], span["to_ms"]) for span in row["covered"]),
        span=None if row["from_ms"] is None else (row["from_ms"], row["to_ms"]),
        entries=row["entries"],
        added=row["added"],
        malformed=row["malformed"],
        marks=marks,
        written=written,
    )
