"""How an archive stands: what it covers, what it has lost, what it is about to lose, and how large it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from qsops.archive.dead_letters import listed_dead_letters
from qsops.archive.guard import Deadline, Expiry, deadlines, forgotten, log_expiries, missing
from qsops.archive.layout import COMMITS
from qsops.archive.reading import committed
from qsops.archive.spans import Span
from qsops.archive.state import State
from qsops.archive.store import Snapshot, Store
from qsops.clock import Clock
from qsops.errors import Corrupt
from qsops.plans import PLANS, Plan, retention_ms

__all__ = ["EVERY_MS", "Status", "TableSize", "status"]

#: How often a sync is expected where nobody says it.
EVERY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table as it is pinned: its rows, and the bytes of its files."""

    name: str
    rows: int
    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an archive at ``now_ms``. Ranges are unix milliseconds, both ends included, oldest first.

    ``covered`` was pulled; ``forgotten`` are gaps that QStash has forgotten on ``plan``, ``pending`` those that the
    next sync can close. ``expiries`` is what QStash forgets before the next sync or the next working day.
    """

    root: str
    now_ms: int
    plan: str
    commit: int
    committed_ms: int
    covered: tuple[Span, ...]
    forgotten: tuple[Span, ...]
    pending: tuple[Span, ...]
    expiries: tuple[Expiry, ...]
    tables: tuple[TableSize, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing is lost, or about to be."""
        return not self.forgotten and not self.expiries


def status(
    store: Store,
    clock: Clock,
    *,
    plan: Plan = PLANS["free"],
    every_ms: int = EVERY_MS,
    zone: tzinfo = UTC,
    since_ms: int | None = None,
) -> Status:
    """How the archive stands, without asking QStash; ``plan`` tells what that remembers.

    ``every_ms`` is how often a sync runs, ``zone`` where the working days are; gaps before ``since_ms`` do not count.

    :raises SettingsError: there is no archive.
    :raises Corrupt: a part of it is gone.
    """
    state, now_ms = committed(store), clock.now_ms()
    assert state.commit is not None
    kept_ms, until = retention_ms(plan), deadlines(now_ms, every_ms, zone)
    begins_ms = max(state.covered[0][0] if state.covered else now_ms, since_ms or 0, now_ms - kept_ms)
    return Status(
        root=store.root,
        now_ms=now_ms,
        plan=plan.name,
        commit=state.commit.number,
        committed_ms=state.commit.time_ms,
        covered=state.covered,
        forgotten=tuple(forgotten(state.covered, now_ms, kept_ms, since_ms)),
        pending=tuple(missing(state.covered, begins_ms, now_ms)),
        expiries=(
            *log_expiries(state.covered, now_ms, kept_ms, until),
            *_dead_letters(listed_dead_letters(store, state), now_ms, plan.dlq_retention_ms, until),
        ),
        tables=tuple(_size(store, snapshot) for _, snapshot in sorted(_tables(state).items())),
    )


def _tables(state: State) -> dict[str, Snapshot]:
    commits = {} if state.commits is None else {COMMITS.name: state.commits}
    return {**state.tables, **commits}


def _size(store: Store, snapshot: Snapshot) -> TableSize:
    """The rows are counted in the files themselves, which costs a glance at each, and shows that it is there."""
    rows = store.dataset(snapshot).count_rows()
    if rows != snapshot.rows:
        raise Corrupt(
            f"{store.root}: table {snapshot.table!r} has {rows} rows where {snapshot.rows} were committed: "
            "restore it from a backup"
        )
    return TableSize(snapshot.table, rows, snapshot.bytes, len(snapshot.files))


def _dead_letters(
    failed_ms: Sequence[int], now_ms: int, retained_ms: int, until: Sequence[Deadline]
) -> tuple[Expiry, ...]:
    """Those that can be retried now, and no more at a deadline; each under the first one that it does not see."""
    by_deadline: dict[Deadline, list[int]] = {}
    for at_ms in sorted(failed_ms):
        gone_ms = at_ms + retained_ms
        deadline = next((one for one in until if now_ms <= gone_ms < one.at_ms), None)
        if deadline is not None:
            by_deadline.setdefault(deadline, []).append(at_ms)
    return tuple(
        Expiry("dead_letters", found[0], found[-1], found[0] + retained_ms, deadline.name, deadline.at_ms, len(found))
        for deadline, found in by_deadline.items()
    )
