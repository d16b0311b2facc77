"""Removing a person: their rows go, and the ledger forgets what led to them.

The rows are the truth of what is theirs, so those that only point at others are dealt with first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from service.store.person import needle, speaks_of
from service.store.steps import Steps
from service.store.values import Statement

__all__ = ["erase"]

_MIDS: Final = """
select mid from direct_messages where person = :person
union select mid from postbacks where person = :person and mid is not null
union select comment_id from comments where sender = :person"""
_EVENTS: Final = f"""
select event_id from direct_messages where person = :person and event_id is not null
union select event_id from reactions where sender = :person or mid in ({_MIDS})
union select event_id from reads where person = :person
union select event_id from postbacks where person = :person
union select event_id from comments where sender = :person
union select event_id from events where mid in ({_MIDS})"""
_FORGET_CALLBACKS: Final = "update callbacks set event_id = null, dlq_id = null where event_id {0} returning 1"
_FORGET_EVENTS: Final = "update events set mid = null where mid is not null and event_id {0} returning 1"
_BY_ROW: Final = (
    ("callbacks", _FORGET_CALLBACKS.format(f"in ({_EVENTS})")),
    ("events", _FORGET_EVENTS.format(f"in ({_EVENTS})")),
    ("reactions", f"delete from reactions where sender = :person or mid in ({_MIDS}) returning 1"),
    ("reads", f"delete from reads where person = :person or mid in ({_MIDS}) returning 1"),
    ("postbacks", "delete from postbacks where person = :person returning 1"),
    ("comments", "delete from comments where sender = :person returning 1"),
    ("direct_messages", "delete from direct_messages where person = :person returning 1"),
)
_BY_EVENT: Final = (
    ("callbacks", _FORGET_CALLBACKS.format("= :event_id")),
    ("events", _FORGET_EVENTS.format("= :event_id")),
)
_DELETE: Final = {
    "other_events": "delete from other_events where event_id = :id returning 1",
    "outbox": "delete from outbox where id = :id returning 1",
}
_OTHERS: Final = r"select event_id, event_id, payload from other_events where payload like :like escape '\'"


def erase(person: str, body_holds: str) -> Steps[Mapping[str, int]]:
    """Remove ``person``; how many rows of each table. ``body_holds`` is how to say that a body holds :needle."""
    waiting = Statement(f"select id, event_id, body from outbox where {body_holds}", {"needle": needle(person)})
    like = needle(person).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    found: Counter[str] = Counter()
    for table, sifted in (("other_events", Statement(_OTHERS, {"like": f"%{like}%"})), ("outbox", waiting)):
        for row_id, event_id, text in (yield sifted):
            if speaks_of(text, person):
                found[table] += len((yield Statement(_DELETE[table], {"id": row_id})))
                for other, sql in _BY_EVENT if event_id is not None else ():
                    found[other] += len((yield Statement(sql, {"event_id": event_id})))
    for table, sql in _BY_ROW:
        found[table] += len((yield Statement(sql, {"person": person})))
    return {table: found[table] for table in sorted({*_DELETE, *dict(_BY_ROW)})}
