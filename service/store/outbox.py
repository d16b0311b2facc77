"""The outbox's rows: requests to QStash, kept as they will be sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec

from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire.http import Request
from qsops.wire.publishing import parse_publish, publish_request
from service.store import ledger
from service.store.steps import Many, Steps
from service.store.values import Backlog, Outgoing, Parked, Postponed, Queued, Sent, Statement, Unreadable, Verdict

__all__ = ["COLUMNS", "LAG", "backlog", "insert", "lag", "settle", "take", "values"]

COLUMNS: Final = (
    "deduplication_id",
    "event_id",
    "path",
    "headers",
    "body",
    "created_at_ms",
    "due_at_ms",
    "reason",
    "conversation",
)
_INSERT: Final = (
    f"insert into outbox ({', '.join(COLUMNS)}) values ({', '.join('?' for _ in COLUMNS)}) on conflict do nothing"
)
_FREE: Final = "{0}.due_at_ms <= :due_ms and coalesce({0}.leased_until_ms, 0) <= :now_ms and {0}.id > :after"
_NEXT: Final = f"""
select id from outbox as mine where {_FREE.format("mine")} and not exists (
    select 1 from outbox as earlier
    where earlier.conversation = mine.conversation and earlier.id < mine.id and earlier.due_at_ms is not null
    and not ({_FREE.format("earlier")}))
order by id limit :limit
"""
_TAKE: Final = """
update outbox set leased_until_ms = :until_ms where {these}
returning id, path, headers, body, event_id, attempts, conversation
"""
# Each part by an index of its own: an outage fills the outbox, and then it is looked at more often, not less.
LAG: Final = """
select (select count(*) from outbox where due_at_ms is not null), (select count(*) from outbox where due_at_ms is null),
    (select created_at_ms from outbox where due_at_ms is not null order by id limit 1)
"""
#: Rows that are looked through for the next that can be taken: more than several relays hold at a time.
_FIRST: Final = 2_000
# The first of a conversation is due before all that follow it.
_BACKLOG: Final = f"""
{LAG}, (select min(free_at_ms) from (
    select case when leased_until_ms > due_at_ms then leased_until_ms else due_at_ms end as free_at_ms
    from outbox where due_at_ms is not null and (conversation is null or not exists (
        select 1 from outbox as earlier where earlier.conversation = outbox.conversation
        and earlier.id < outbox.id and earlier.due_at_ms is not null))
    order by due_at_ms limit {_FIRST}) as earliest)
"""
_DELETE: Final = "delete from outbox where id = :id"
_KEEP: Final = (
    "update outbox set attempts = attempts + 1, due_at_ms = :due_at_ms, reason = :reason, leased_until_ms = null "
    "where id = :id"
)
_FOREVER_MS: Final = 2**62
_encode: Final = msgspec.json.Encoder().encode


def insert(outgoing: Iterable[Outgoing], now_ms: int) -> Steps[None]:
    """Add rows, but for a follow-up whose deduplication id is there. That of an event is the caller's to leave out."""
    if rows := [values(one, now_ms) for one in outgoing]:
        yield Many(_INSERT, rows)


def take(
    now_ms: int, limit: int, until_ms: int, after: int, *, everything: bool, these: str = "id in ({next})"
) -> Steps[list[Queued | Unreadable]]:
    """Lease the first rows that are due; ``these`` is how the database finds them by a query for the ``{next}`` ids."""
    due_ms = _FOREVER_MS if everything else now_ms
    rows = yield Statement(
        _TAKE.format(these=these.format(next=_NEXT)),
        {"due_ms": due_ms, "now_ms": now_ms, "after": after, "until_ms": until_ms, "limit": limit},
    )
    return [_read(*row) for row in sorted(rows, key=itemgetter(0))]


def settle(verdicts: Sequence[tuple[Queued | Unreadable, Verdict]], now_ms: int) -> Steps[None]:
    """What was sent goes; what was not stays, with the reason; the ledger is told."""
    gone, kept, published, parked = [], [], [], []
    for row, verdict in verdicts:
        match verdict:
            case Sent(message_id):
                gone.append({"id": row.row_id})
                published.append((row.event_id, message_id))
            case Postponed(reason, due_at_ms):
                kept.append({"id": row.row_id, "reason": reason, "due_at_ms": due_at_ms})
            case Parked(reason):
                kept.append({"id": row.row_id, "reason": reason, "due_at_ms": None})
                parked.append((row.event_id, reason))
    yield Many(_DELETE, gone)
    yield Many(_KEEP, kept)
    yield ledger.mark_published([(event_id, told) for event_id, told in published if event_id is not None], now_ms)
    yield ledger.mark_parked([(event_id, told) for event_id, told in parked if event_id is not None])


def backlog() -> Steps[Backlog]:
    """How many rows wait, and since when."""
    (row,) = yield Statement(_BACKLOG)
    return Backlog(*row)


def lag() -> Steps[Backlog]:
    """How many rows wait, and since when, without a look at each of them."""
    (row,) = yield Statement(LAG)
    return Backlog(*row)


def _as_text(headers: Headers) -> str:
    try:
        return _encode(headers).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which databases do not take either
        return json.dumps(headers)


def values(outgoing: Outgoing, now_ms: int) -> tuple[Any, ...]:
    """Its row, in the order of :data:`COLUMNS`."""
    request = publish_request(outgoing.publish)
    return (
        outgoing.publish.deduplication_id,
        outgoing.event_id,
        request.target,
        _as_text(request.headers),
        request.body,
        now_ms,
        None if outgoing.parked else now_ms + outgoing.wait_ms,
        outgoing.reason,
        outgoing.conversation,
    )


def _read(
    row_id: int,
    target: str,
    headers: str,
    body: bytes,
    event_id: str | None,
    attempts: int,
    conversation: str | None,
) -> Queued | Unreadable:
    """One row. One that cannot be read must not hold up those behind it, so it is a value, not an exception."""
    path, _, query = target.partition("?")
    try:
        pairs = tuple((name, value) for name, value in json.loads(headers))
        publish = parse_publish(Request("POST", path, query, pairs, bytes(body)))
    except (Rejected, ValueError) as error:
        return Unreadable(row_id, event_id, f"malformed: row {row_id} is no publish request ({type(error).__name__})")
    return Queued(row_id, publish, event_id, attempts, conversation)
