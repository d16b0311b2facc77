"""The claims: one row an event that was processed, committed with what its processing left behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from service.store import ledger, outbox
from service.store.steps import Many, Steps
from service.store.values import Effects, Statement

__all__ = ["batches", "commit", "commit_all", "prune", "release"]

_CLAIM: Final = (
    "insert into claims (event_id, claimed_at_ms) values (:event_id, :now_ms) on conflict do nothing returning 1"
)
_RELEASE: Final = "delete from claims where event_id = :event_id returning event_id"
_PRUNE: Final = (
    "delete from claims where event_id in "
    "(select event_id from claims where claimed_at_ms < :before_ms order by claimed_at_ms limit :limit) returning 1",
    "delete from callbacks where (message_id, outcome, retried) in "
    "(select message_id, outcome, retried from callbacks where reported_at_ms < :before_ms "
    "order by reported_at_ms limit :limit) returning 1",
)


def commit(effects: Effects, now_ms: int) -> Steps[bool]:
    """Claim the event, and write its effects; False if it was claimed before."""
    claimed = bool((yield Statement(_CLAIM, {"event_id": effects.entry.event_id, "now_ms": now_ms})))
    yield from ledger.record_delivery(effects.entry, claimed=claimed)
    if claimed:
        for statement in effects.statements:  # noqa: UP028  # a list takes no answers
            yield statement
        yield from outbox.insert(effects.outgoing, now_ms)
    return claimed


def commit_all(group: Sequence[tuple[Effects, int]], claim_all: str) -> Steps[list[bool]]:
    """As :func:`commit` for each of ``group``, in :func:`batches`; ``claim_all`` claims ``:event_ids``."""
    event_ids = [effects.entry.event_id for effects, _ in group]
    now_ms = max(at_ms for _, at_ms in group)
    free = {row[0] for row in (yield Statement(claim_all, {"event_ids": json.dumps(event_ids), "now_ms": now_ms}))}
    claimed: list[bool] = []
    fresh: list[Effects] = []
    again: list[Effects] = []
    for effects, _ in group:
        is_free = effects.entry.event_id in free
        claimed.append(is_free)
        (fresh if is_free else again).append(effects)
        free.discard(effects.entry.event_id)  # of two in one group the first has it
    yield from ledger.record([effects.entry for effects in fresh])
    yield from ledger.record_again([effects.entry.event_id for effects in again])
    yield from batches(fresh)
    yield from outbox.insert([message for effects in fresh for message in effects.outgoing], now_ms)
    return claimed


def batches(made: Iterable[Effects]) -> Iterator[Many]:
    """The handlers' statements: each event's stay together in their order, as if it were alone in its transaction.

    Events have no order among them, so those that do the same stand side by side, and neighbours of one text are one.
    """
    in_order = sorted(made, key=_texts)
    statements = (statement for effects in in_order for statement in effects.statements)
    for sql, same in groupby(statements, key=attrgetter("sql")):
        yield Many(sql, [statement.parameters for statement in same])


def _texts(effects: Effects) -> list[str]:
    return [statement.sql for statement in effects.statements]


def release(event_ids: Sequence[str]) -> Steps[frozenset[str]]:
    """Forget the claims of ``event_ids``; those that had one."""
    found: set[str] = set()
    for event_id in event_ids:
        found.update(row[0] for row in (yield Statement(_RELEASE, {"event_id": event_id})))
    return frozenset(found)


def prune(before_ms: int, limit: int) -> Steps[int]:
    """Delete the oldest claims and callbacks, at most ``limit`` of each; how many there were."""
    count = 0
    for sql in _PRUNE:
        count += len((yield Statement(sql, {"before_ms": before_ms, "limit": limit})))
    return count
