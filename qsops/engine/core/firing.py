"""What schedules make when they fall due: new messages, in the transaction that notes when the next ones are due.

So a crash neither loses nor doubles a firing. Where several were missed, because the engine was down, one takes the
place of them all: who asked for every minute does not want six hours of them at once, and who asked for every day wants
the one of today.
"""

from __future__ import annotations

import json
from sqlite3 import Connection
from typing import Final, NamedTuple

from qsops.engine.core.admission import admit
from qsops.engine.core.groups import recipients_of
from qsops.engine.core.intake import accept
from qsops.engine.core.quota import day_of, spend
from qsops.engine.core.rows import decode_headers
from qsops.engine.core.schedules import checked_cron, template_of
from qsops.engine.core.terms import Terms
from qsops.errors import Rejected
from qsops.models import Message
from qsops.wire import texts
from qsops.wire.destinations import is_url

__all__ = ["fire_due", "next_firing_ms"]

#: How many fire in one transaction; each may be for a hundred endpoints.
_AT_ONCE: Final = 20

_NEXT: Final = "select min(next_ms) from schedules where next_ms is not null and paused = 0"
_DUE: Final = """
    select schedule, account, id, cron, destination, headers, body, caller_ip from schedules
    where next_ms is not null and next_ms <= ? and paused = 0 order by next_ms, schedule limit ?
"""
_FIRED: Final = "update schedules set next_ms = ?, last_ms = ?, last_messages = ?, error = ? where schedule = ?"


class _Due(NamedTuple):
    schedule: int
    account: int
    schedule_id: str
    cron: str
    destination: str
    headers: str
    body: bytes
    caller_ip: str | None


def next_firing_ms(connection: Connection) -> int | None:
    """When the first schedule falls due; None if none does."""
    (at_ms,) = connection.execute(_NEXT).fetchone()
    return None if at_ms is None else int(at_ms)


def fire_due(connection: Connection, now_ms: int, terms: Terms) -> None:
    """Fire those that have fallen due, equal ones in the order in which they were made.

    Why one could not is kept with it, and it is tried again when it falls due next.
    """
    for row in connection.execute(_DUE, (now_ms, _AT_ONCE)).fetchall():
        _fire(connection, _Due(*row), now_ms, terms)


def _fire(connection: Connection, due: _Due, now_ms: int, terms: Terms) -> None:
    ids, error = _published(connection, due, now_ms, terms)
    next_ms, broken = _next_ms(due.cron, now_ms)
    connection.execute(_FIRED, (next_ms, now_ms, json.dumps(ids), error or broken, due.schedule))


def _next_ms(cron: str, now_ms: int) -> tuple[int | None, str | None]:
    """When it falls due next; or why it never does: the machine knew its time zone once, and does no more."""
    try:
        return checked_cron(cron).next_ms(now_ms), None
    except Rejected as rejection:
        return None, rejection.text


def _published(connection: Connection, due: _Due, now_ms: int, terms: Terms) -> tuple[list[str], str | None]:
    """The ids of the messages that it made; or why it made none."""
    connection.execute("savepoint firing")
    try:
        return _publish(connection, due, now_ms, terms), None
    except Rejected as rejection:
        connection.execute("rollback to firing")
        return [], rejection.text
    finally:
        connection.execute("release firing")


def _publish(connection: Connection, due: _Due, now_ms: int, terms: Terms) -> list[str]:
    messages = _messages(connection, due, now_ms, terms)
    limit = terms.daily_limit
    if limit is not None and not spend(connection, due.account, day_of(now_ms), len(messages), limit):
        raise Rejected(429, texts.quota_exceeded("maxMessagesPerDay", limit))
    return [accept(connection, due.account, one, now_ms, plan=terms.plan).message_id for one in messages]


def _messages(connection: Connection, due: _Due, now_ms: int, terms: Terms) -> list[Message]:
    """One for a URL; for a group, as it stands now, one for each endpoint."""
    destination = due.destination
    found = None if is_url(destination) else recipients_of(connection, due.account, destination)
    publish = template_of(destination, decode_headers(due.headers), due.body, found.headers if found else ())
    return [
        admit(
            publish,
            terms.plan,
            message_id=terms.ids.make("msg_"),
            now_ms=now_ms,
            caller_ip=due.caller_ip,
            endpoint=endpoint,
            schedule_id=due.schedule_id,
        )
        for endpoint in (found.endpoints if found else (None,))
    ]
