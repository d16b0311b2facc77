"""Groups of failures, and who is to be told of them, as statements that any of our databases runs.

A group is open from its first failure until somebody was told that it has passed. Who tells holds a lease, so that of
several processes one does, and another after it if it died.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from service.store import parked
from service.store.values import Cause, FailureGroup, Statement

__all__ = ["add", "group_of", "told", "untold"]

#: So many groups are open at once; what fails for yet another reason is counted with the last.
GROUPS: Final = 100
OTHERS: Final = "for many other reasons"
#: So many of the latest claims are looked through for an event of the group's kind.
_LATEST: Final = 1_000

_ADD: Final = f"""
insert into failures (cause, kind, messages, first_at_ms, last_at_ms)
select case when (select count(*) from failures) < {GROUPS} or exists (select 1 from failures where cause = :cause)
        then :cause else '{OTHERS}' end,
    :kind, 1, :now_ms, :now_ms
where true
on conflict (cause) do update set
    kind = excluded.kind, messages = failures.messages + 1, last_at_ms = excluded.last_at_ms
"""
_COLUMNS: Final = "cause, kind, messages, first_at_ms, last_at_ms, told_at_ms"
# What has no kind (a message of a handler's own) has passed when it is quiet: nothing tells of its successes.
_PASSED: Final = f"""
last_at_ms <= :quiet_since_ms and (kind is null or (kind = '{parked.KIND}' and {parked.GONE}) or exists (
    select 1 from events where events.kind = failures.kind and events.event_id in (
        select event_id from events where claimed_at_ms > failures.last_at_ms
        order by claimed_at_ms desc limit {_LATEST}
    )
))
"""
# The lease is asked for twice: on PostgreSQL a row that another process has just leased is looked at once more.
_UNTOLD: Final = f"""
update failures set leased_until_ms = :until_ms
where leased_until_ms <= :now_ms and cause in (
    select cause from failures where leased_until_ms <= :now_ms and (told_at_ms is null or ({_PASSED}))
    order by first_at_ms limit :limit
)
returning {_COLUMNS}
"""
_TOLD: Final = "update failures set told_at_ms = :now_ms, leased_until_ms = 0 where cause = :cause"
_PASSED_TOLD: Final = "delete from failures where cause = :cause and last_at_ms <= :last_at_ms"
# It failed again while somebody was told that it had passed: that is a new beginning.
_BEGUN_AGAIN: Final = (
    "update failures set told_at_ms = null, leased_until_ms = 0, messages = messages - :messages, "
    "first_at_ms = last_at_ms where cause = :cause and last_at_ms > :last_at_ms"
)


def add(cause: Cause, now_ms: int) -> Statement:
    """Count a failure in its group."""
    return Statement(_ADD, {"cause": cause.text, "kind": cause.kind, "now_ms": now_ms})


def untold(now_ms: int, until_ms: int, quiet_since_ms: int, limit: int) -> Statement:
    """Lease the groups that somebody is to be told of; its rows are for :func:`group_of`."""
    return Statement(
        _UNTOLD, {"now_ms": now_ms, "until_ms": until_ms, "quiet_since_ms": quiet_since_ms, "limit": limit}
    )


def group_of(row: Sequence[Any]) -> FailureGroup:
    """A row of :func:`untold`."""
    cause, kind, messages, first_at_ms, last_at_ms, told_at_ms = row
    passed, is_parked = told_at_ms is not None, kind == parked.KIND
    return FailureGroup(cause, kind, messages, first_at_ms, last_at_ms, passed=passed, is_parked=is_parked)


def told(group: FailureGroup, now_ms: int) -> list[Statement]:
    """Somebody was told of ``group`` as it was."""
    if not group.passed:
        return [Statement(_TOLD, {"cause": group.cause, "now_ms": now_ms})]
    known = {"cause": group.cause, "last_at_ms": group.last_at_ms}
    return [Statement(_PASSED_TOLD, known), Statement(_BEGUN_AGAIN, {**known, "messages": group.messages})]
