"""The ledger's rows: what became of each event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from qsops.models import CallbackReport, LedgerEntry, Page
from service.store.steps import Many, Steps
from service.store.values import LedgerFilter, Statement

__all__ = [
    "COLUMNS",
    "MERGE",
    "add",
    "mark_dead",
    "mark_parked",
    "mark_published",
    "page",
    "record",
    "record_again",
    "values",
]

COLUMNS: Final = (
    "event_id",
    "kind",
    "account",
    "mid",
    "state",
    "received_at_ms",
    "message_id",
    "published_at_ms",
    "processed_at_ms",
    "deliveries",
    "reason",
)
# Later states win: rows of concurrent requests, and of a consumer that was faster, come in any order.
_STATES: Final = ("queued", "parked", "published", "dead", "processed")
_RANK: Final = "case {0} " + " ".join(f"when '{state}' then {rank}" for rank, state in enumerate(_STATES)) + " end"
_IS_LATER: Final = f"{_RANK.format('excluded.state')} > {_RANK.format('events.state')}"
#: What the insert of an entry does where there is one.
MERGE: Final = f"""
on conflict (event_id) do update set
    state = case when {_IS_LATER} then excluded.state else events.state end,
    reason = case when {_IS_LATER} then excluded.reason else events.reason end,
    message_id = coalesce(excluded.message_id, events.message_id),
    published_at_ms = coalesce(events.published_at_ms, excluded.published_at_ms),
    processed_at_ms = coalesce(events.processed_at_ms, excluded.processed_at_ms),
    deliveries = events.deliveries + excluded.deliveries
"""
_INSERT: Final = f"insert into events ({', '.join(COLUMNS)}) values ({', '.join('?' for _ in COLUMNS)})"
_MERGED: Final = f"{_INSERT} {MERGE}"
_NEW: Final = f"{_INSERT} on conflict (event_id) do nothing"
_DELIVERED_AGAIN: Final = "update events set deliveries = deliveries + 1 where event_id = :event_id"
_PUBLISHED: Final = """
update events set message_id = :message_id, published_at_ms = coalesce(published_at_ms, :now_ms),
    state = case when state in ('queued', 'parked') then 'published' else state end,
    reason = case when state in ('queued', 'parked') then null else reason end
where event_id = :event_id
"""
_PARKED: Final = "update events set state = 'parked', reason = :reason where event_id = :event_id and state = 'queued'"
_DEAD: Final = (
    "update events set state = 'dead', reason = :reason "
    "where (event_id = :event_id or message_id = :message_id) and state <> 'processed'"
)
_FILTERS: Final = ("event_id", "mid", "message_id", "state", "kind")
#: Of an entry, in the order of its columns.
values: Final = attrgetter(*COLUMNS)


def record(entries: Iterable[LedgerEntry]) -> Steps[None]:
    """Insert entries, or bring theirs forward; a state never goes back."""
    yield Many(_MERGED, [values(entry) for entry in entries])


def add(entries: Iterable[LedgerEntry]) -> Steps[int]:
    """Insert entries of events that have none; how many that were. The others stay as they are."""
    ((count,),) = yield Many(_NEW, [values(entry) for entry in entries])
    return int(count)


def record_again(event_ids: Iterable[str]) -> Steps[None]:
    """Duplicates, which were answered 200."""
    if rows := [{"event_id": event_id} for event_id in event_ids]:
        yield Many(_DELIVERED_AGAIN, rows)


def mark_published(messages: Iterable[tuple[str, str]], now_ms: int) -> Many:
    """The relay has sent these events, each as a message."""
    rows = [{"event_id": event_id, "message_id": message_id, "now_ms": now_ms} for event_id, message_id in messages]
    return Many(_PUBLISHED, rows)


def mark_parked(reasons: Iterable[tuple[str, str]]) -> Many:
    """The relay was refused these events for good, each for a reason."""
    return Many(_PARKED, [{"event_id": event_id, "reason": reason} for event_id, reason in reasons])


def mark_dead(report: CallbackReport, event_id: str | None) -> Statement:
    """The message of an event has failed for good. An event that was processed all the same stays processed."""
    reason = f"answered {report.status}"
    return Statement(_DEAD, {"event_id": event_id, "message_id": report.source_message_id, "reason": reason})


def page(which: LedgerFilter, cursor: int, limit: int) -> Steps[Page[LedgerEntry]]:
    """One page after row ``cursor``."""
    chosen = {name: getattr(which, name) for name in _FILTERS if getattr(which, name) is not None}
    conditions = "".join(f" and {name} = :{name}" for name in chosen)
    rows = yield Statement(
        f"select seq, {', '.join(COLUMNS)} from events where seq > :cursor{conditions} order by seq limit :limit",
        {**chosen, "cursor": cursor, "limit": limit + 1},
    )
    more = str(rows[limit - 1][0]) if len(rows) > limit else None
    return Page(tuple(_entry(row[1:]) for row in rows[:limit]), more)


def _entry(row: Sequence[Any]) -> LedgerEntry:
    return LedgerEntry(**dict(zip(COLUMNS, row, strict=True)))
