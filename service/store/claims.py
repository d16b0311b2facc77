"""The claims: an event that was processed says so in its entry, committed with what its processing left behind.

Whoever sets ``claimed_at_ms`` commits the event's effects, all others are duplicates.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from qsops.models import LedgerEntry
from service.store import ledger, outbox
from service.store.steps import Many, Steps
from service.store.values import Effects, Statement

__all__ = ["COLUMNS", "UNLESS_CLAIMED", "batches", "commit", "commit_all", "prune", "release", "row"]

COLUMNS: Final = (*ledger.COLUMNS, "claimed_at_ms")
#: What the insert of an entry that claims its event does where there is one.
UNLESS_CLAIMED: Final = f"{ledger.MERGE}, claimed_at_ms = excluded.claimed_at_ms where events.claimed_at_ms is null"
_INSERT: Final = f"insert into events ({', '.join(COLUMNS)}) values ({{values}}) {UNLESS_CLAIMED}"
_CLAIM: Final = _INSERT.format(values=", ".join(f":{name}" for name in COLUMNS)) + " returning 1"
# In its own order: a value costs a third of one that is looked up by its name.
_CLAIM_EACH: Final = _INSERT.format(values=", ".join("?" for _ in COLUMNS))
_CLAIMED: Final = (
    "select event_id from events "
    "where event_id in (select value from json_each(:event_ids)) and claimed_at_ms is not null"
)
_HERE: Final = Statement("savepoint claims")
_BACK: Final = Statement("rollback to claims")
_RELEASE: Final = (
    "update events set claimed_at_ms = null where event_id = :event_id and claimed_at_ms is not null returning event_id"
)
# Told twice how old they are: on PostgreSQL a row that has just been claimed anew is looked at once more.
_PRUNE: Final = (
    (
        "update events set claimed_at_ms = null where {rows} and claimed_at_ms < :before_ms returning 1",
        "seq",
        "from events where claimed_at_ms < :before_ms order by claimed_at_ms limit :limit",
    ),
    (
        "delete from callbacks where {rows} and reported_at_ms < :before_ms returning 1",
        "message_id, outcome, retried",
        "from callbacks where reported_at_ms < :before_ms order by reported_at_ms limit :limit",
    ),
)


def row(entry: LedgerEntry, now_ms: int) -> dict[str, Any]:
    """``entry`` as a row that claims its event."""
    return dict(zip(COLUMNS, (*ledger.values(entry), now_ms), strict=True))


def commit(effects: Effects, now_ms: int) -> Steps[bool]:
    """Claim the event, and write its effects; False if it was claimed before."""
    if not (yield Statement(_CLAIM, row(effects.entry, now_ms))):
        yield from ledger.record_again([effects.entry.event_id])
        return False
    for statement in effects.statements:  # noqa: UP028  # a list takes no answers
        yield statement
    yield from outbox.insert(effects.outgoing, now_ms)
    return True


def commit_all(group: Sequence[tuple[Effects, int]]) -> Steps[list[bool]]:
    """As :func:`commit` for each of ``group``, in :func:`batches`, where nobody else writes meanwhile."""
    claimed = yield from _claim_all(group)
    fresh = [effects for (effects, _), is_mine in zip(group, claimed, strict=True) if is_mine]
    again = [effects.entry.event_id for (effects, _), is_mine in zip(group, claimed, strict=True) if not is_mine]
    yield from ledger.record_again(again)
    yield from batches(fresh)
    now_ms = max(at_ms for _, at_ms in group)
    yield from outbox.insert([message for effects in fresh for message in effects.outgoing], now_ms)
    return claimed


def _claim_all(group: Sequence[tuple[Effects, int]]) -> Steps[list[bool]]:
    """Claim the events of ``group``; for each whether it was not claimed before."""
    # At its first attempt hardly an event was processed before: then nobody is asked, unless a claim is missing.
    if all(effects.entry.deliveries == 1 for effects, _ in group):
        yield _HERE
        claimed, is_whole = yield from _claim_each(group, set())
        if is_whole:
            return claimed
        yield _BACK
    asked = json.dumps([effects.entry.event_id for effects, _ in group])
    taken = {event_id for (event_id,) in (yield Statement(_CLAIMED, {"event_ids": asked}))}
    claimed, _ = yield from _claim_each(group, taken)
    return claimed


def _claim_each(group: Sequence[tuple[Effects, int]], taken: set[str]) -> Steps[tuple[list[bool], bool]]:
    """Claim the events of ``group`` but for those that are ``taken``: which these are, and whether no other was."""
    claimed, rows = [], []
    for effects, now_ms in group:
        event_id = effects.entry.event_id
        claimed.append(event_id not in taken)
        if event_id not in taken:
            taken.add(event_id)  # of two in one group the first has it
            rows.append((*ledger.values(effects.entry), now_ms))
    ((count,),) = yield Many(_CLAIM_EACH, rows)
    return claimed, count == len(rows)


def batches(made: Iterable[Effects]) -> Iterator[Many]:
    """The handlers' statements: each event's stay together in their order, as if it were alone in its transaction.

    Events have no order among them, so those that do the same stand side by side, and neighbours of one text are one.
    """
    alike: dict[tuple[str, ...], list[Effects]] = {}
    for effects in made:
        alike.setdefault(tuple([statement.sql for statement in effects.statements]), []).append(effects)
    in_order = (one for texts in sorted(alike) for effects in alike[texts] for one in effects.statements)
    for sql, same in groupby(in_order, key=attrgetter("sql")):
        yield Many(sql, [statement.parameters for statement in same])


def release(event_ids: Sequence[str]) -> Steps[frozenset[str]]:
    """Forget the claims of ``event_ids``; those that had one."""
    found: set[str] = set()
    for event_id in event_ids:
        found.update(row[0] for row in (yield Statement(_RELEASE, {"event_id": event_id})))
    return frozenset(found)


def prune(before_ms: int, limit: int, rows: str) -> Steps[int]:
    """Forget the oldest claims, and delete the oldest callbacks, at most ``limit`` of each; how many there were.

    ``rows`` is how the database names the rows with a ``{key}`` that a query ``{found}``.
    """
    count = 0
    for sql, key, found in _PRUNE:
        named = sql.format(rows=rows.format(key=key, found=found))
        count += len((yield Statement(named, {"before_ms": before_ms, "limit": limit})))
    return count
