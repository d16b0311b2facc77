"""The verbs of the port, over the two ways in which a database runs their steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeVar

from qsops.models import CallbackReport, LedgerEntry, Page
from service.store import callbacks, claims, erasure, failures, ledger, outbox, parked
from service.store.steps import Steps
from service.store.values import (
    Backlog,
    Cause,
    FailureGroup,
    LedgerFilter,
    Queued,
    Unreadable,
    Verdict,
)

__all__ = ["Verbs"]

#: Each table is searched for a person, however large it is.
ERASE_WITHIN_S: Final = 600.0
T = TypeVar("T")


class Verbs(ABC):
    """What a :class:`~service.store.port.Store` does where any of our databases does it in the same way."""

    #: How the database says that the bytes ``body`` hold the text ``:needle``.
    body_holds: ClassVar[str]
    #: How it names a few rows, so that it goes to each of them, however many there are.
    rows: ClassVar[str] = "({key}) in (select {key} {found})"

    @abstractmethod
    async def _write(self, steps: Steps[T], within_s: float | None = None) -> T:
        """Run ``steps`` in a transaction, ``within_s`` if it may take long; what a step raises undoes it."""

    @abstractmethod
    async def _read(self, steps: Steps[T]) -> T:
        """Run ``steps`` on what has been committed."""

    async def take(
        self, now_ms: int, limit: int, until_ms: int, *, everything: bool = False, after: int = 0
    ) -> list[Queued | Unreadable]:
        return await self._write(outbox.take(now_ms, limit, until_ms, after, everything=everything))

    async def settle(self, verdicts: Sequence[tuple[Queued | Unreadable, Verdict]], now_ms: int) -> None:
        await self._write(outbox.settle(verdicts, now_ms))

    async def backlog(self) -> Backlog:
        return await self._read(outbox.backlog())

    async def lag(self) -> Backlog:
        return await self._read(outbox.lag())

    async def report(
        self, report: CallbackReport, outcome: str, event_id: str | None, now_ms: int, cause: Cause | None = None
    ) -> bool:
        return await self._write(callbacks.report(report, outcome, event_id, now_ms, cause))

    async def untold(self, now_ms: int, until_ms: int, quiet_since_ms: int, limit: int) -> list[FailureGroup]:
        return await self._write(_untold(now_ms, until_ms, quiet_since_ms, limit))

    async def told(self, group: FailureGroup, now_ms: int) -> None:
        await self._write(_told(group, now_ms))

    async def ledger(self, which: LedgerFilter, cursor: int, limit: int) -> Page[LedgerEntry]:
        return await self._read(ledger.page(which, cursor, limit))

    async def release(self, event_ids: Sequence[str]) -> frozenset[str]:
        return await self._write(claims.release(event_ids))

    async def prune(self, claimed_before_ms: int, limit: int) -> int:
        return await self._write(claims.prune(claimed_before_ms, limit, self.rows))

    async def erase(self, sender: str, *, dry_run: bool) -> Mapping[str, int]:
        steps = erasure.erase(sender, self.body_holds)
        try:
            return await self._write(_undone(steps) if dry_run else steps, ERASE_WITHIN_S)
        except _DryRun as found:
            return found.rows


class _DryRun(Exception):
    """Undoes an erasure, and tells what it found."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        super().__init__()
        self.rows = rows


def _undone(steps: Steps[Mapping[str, int]]) -> Steps[Mapping[str, int]]:
    rows = yield from steps
    raise _DryRun(rows)


def _untold(now_ms: int, until_ms: int, quiet_since_ms: int, limit: int) -> Steps[list[FailureGroup]]:
    yield parked.find()
    rows = yield failures.untold(now_ms, until_ms, quiet_since_ms, limit)
    return [failures.group_of(row) for row in rows]


def _told(group: FailureGroup, now_ms: int) -> Steps[None]:
    for statement in failures.told(group, now_ms):  # noqa: UP028  # a list takes no answers
        yield statement
