"""The port: what the service asks of a database.

Each verb is one transaction. All of them raise :class:`~service.errors.StoreUnavailable` when the database is away, and
then nothing has taken effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from qsops.models import CallbackReport, LedgerEntry, Page
from service.store.values import (
    Backlog,
    Cause,
    Effects,
    FailureGroup,
    LedgerFilter,
    Outgoing,
    Queued,
    Row,
    Statement,
    Unreadable,
    Verdict,
)

__all__ = ["Store"]


class Store(Protocol):
    """The database of the service."""

    async def known(self, event_ids: Sequence[str]) -> frozenset[str]:
        """Those of ``event_ids`` that the ledger has."""
        ...

    async def record(self, entries: Sequence[LedgerEntry], outgoing: Sequence[Outgoing], now_ms: int) -> None:
        """Write what became of received events, and what is still to be published. An entry never goes back a state.

        Nothing waits twice: a message that is there already stays, and so does that of an event with an entry.
        """
        ...

    async def receive(
        self, entries: Sequence[LedgerEntry], outgoing: Sequence[Outgoing], now_ms: int
    ) -> frozenset[str]:
        """As :meth:`record`, for those of ``entries`` that the ledger does not have; those that it has."""
        ...

    async def commit(self, effects: Effects, now_ms: int) -> bool:
        """Claim the event and write its effects, together; False if it was claimed before, and nothing was written.

        :raises Exception: the database's own, for a statement that fails; the claim is undone with it.
        """
        ...

    async def fetch(self, statement: Statement) -> list[Row]:
        """The rows of a query, on what has been committed."""
        ...

    async def take(
        self, now_ms: int, limit: int, until_ms: int, *, everything: bool = False, after: int = 0
    ) -> list[Queued | Unreadable]:
        """Lease the first ``limit`` rows of the outbox behind row ``after`` that are due; or all that are not parked.

        Nobody else is given them before ``until_ms``, or before they are settled. A row stays where it is while an
        earlier one of its conversation does.
        """
        ...

    async def settle(self, verdicts: Sequence[tuple[Queued | Unreadable, Verdict]], now_ms: int) -> None:
        """Write what became of rows of the outbox; their leases end."""
        ...

    async def backlog(self) -> Backlog:
        """The state of the outbox, and when the next row can be taken: takes a look at each row."""
        ...

    async def lag(self) -> Backlog:
        """The state of the outbox, without when the next can be taken: quick, however many there are."""
        ...

    async def report(
        self, report: CallbackReport, outcome: str, event_id: str | None, now_ms: int, cause: Cause | None = None
    ) -> bool:
        """Record a callback; False if the same one was recorded before. Outcome "failure" makes its event dead.

        With a ``cause`` it is counted in that group of failures, of which :meth:`untold` tells.
        """
        ...

    async def untold(self, now_ms: int, until_ms: int, quiet_since_ms: int, limit: int) -> list[FailureGroup]:
        """Lease, until ``until_ms``, the groups of failures that somebody is to be told of.

        They are new, or have passed: none failed after ``quiet_since_ms``, and an event of the kind was processed. What
        is parked in the outbox is a group for each reason, which has passed when it is not there any more.
        """
        ...

    async def told(self, group: FailureGroup, now_ms: int) -> None:
        """Somebody was told of ``group`` as it was; one that has passed is forgotten."""
        ...

    async def ledger(self, which: LedgerFilter, cursor: int, limit: int) -> Page[LedgerEntry]:
        """Entries in the order in which they were first written, after ``cursor`` (0 is the beginning)."""
        ...

    async def release(self, event_ids: Sequence[str]) -> frozenset[str]:
        """Forget the claims of events that are to be processed once more; those that had one."""
        ...

    async def prune(self, claimed_before_ms: int, limit: int) -> int:
        """Delete at most ``limit`` of the claims, and of the callbacks, older than that; how many there were."""
        ...

    async def erase(self, sender: str, *, dry_run: bool) -> Mapping[str, int]:
        """Remove the person whom Meta calls ``sender``; how many rows of each table, which ``dry_run`` leaves alone.

        What they wrote and what waits for them goes. Ledger and callbacks stay, as counted ids that lead to nobody.
        """
        ...

    async def ping(self) -> None:
        """Return if the database can be written."""
        ...

    async def open(self) -> None:
        """Connect, and bring the schema to its newest. A verb does the same where that has not been done yet.

        :raises Corrupt: when it is no database of ours, or a newer one.
        """
        ...

    async def aclose(self) -> None:
        """Finish what waits, then close; closing twice is harmless."""
        ...
