"""Parked rows of the outbox as groups of failures: each is there from its first row until the last of them is gone.

They are found where they lie instead of counted as they come: so none is missed, whoever parked it and however that
process ended.
"""

from __future__ import annotations

from typing import Final

from service.store.values import Statement

__all__ = ["GONE", "KIND", "find"]

#: What stands in place of an event's kind. No event has it: theirs begin with a letter or a digit.
KIND: Final = ":parked"
#: So many of the first rows are looked at; a group says no more than that there are that many.
_LOOKED_AT: Final = 1_000
# A reason begins with the failure's name. Its detail may quote anything, so it is no part of the cause.
_CAUSE: Final = """
case when reason like 'too_large:%' then 'QStash refuses messages for their size'
    when reason like 'rejected:%' then 'QStash refuses messages for what they hold'
    else 'rows of the outbox are no requests' end
"""
_FIND: Final = f"""
insert into failures (cause, kind, messages, first_at_ms, last_at_ms)
select cause, '{KIND}', count(*), min(created_at_ms), max(created_at_ms) from (
    select {_CAUSE} as cause, created_at_ms from outbox where due_at_ms is null order by id limit {_LOOKED_AT}
) as looked_at
where true group by cause
on conflict (cause) do update set messages = excluded.messages, last_at_ms = excluded.last_at_ms
"""
#: Of a row of ``failures``: none of its messages is parked any more.
GONE: Final = f"""
not exists (
    select 1 from (select {_CAUSE} as cause from outbox where due_at_ms is null order by id limit {_LOOKED_AT})
    as left_over where left_over.cause = failures.cause
)
"""


def find() -> Statement:
    """Bring the groups to what is parked now."""
    return Statement(_FIND)
