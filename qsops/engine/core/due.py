"""What is due: the attempts that may start now, and when the next one may."""

from __future__ import annotations

import json
from collections.abc import Collection
from sqlite3 import Connection

from qsops.engine.core.attempts import Attempt
from qsops.engine.core.rows import MESSAGE_COLUMNS, message_of_row

__all__ = ["due", "next_due_ms"]

_DUE = f"""
    select p.message, p.account, p.retried, a.signing_current, p.cancel_requested_ms is not null, {MESSAGE_COLUMNS}
    from progress p join messages m on m.seq = p.message join accounts a on a.account = p.account
    where p.due_ms <= :now_ms and p.message not in (select value from json_each(:in_flight))
    order by p.due_ms, p.message
    limit :limit
"""
_NEXT = """
    select due_ms from progress
    where due_ms is not null and message not in (select value from json_each(:in_flight))
    order by due_ms limit 1
"""


def due(connection: Connection, now_ms: int, *, limit: int, in_flight: Collection[int] = ()) -> list[Attempt]:
    """The next ``limit`` attempts in the order they fell due, equal ones in the order of acceptance.

    A message stays due until its attempt is settled; ``in_flight`` are those which the caller has already started.
    """
    known = {"now_ms": now_ms, "limit": limit, "in_flight": json.dumps([*in_flight])}
    return [
        Attempt(seq, account, message_of_row(row), retried, key, bool(canceled))
        for seq, account, retried, key, canceled, *row in connection.execute(_DUE, known)
    ]


def next_due_ms(connection: Connection, in_flight: Collection[int] = ()) -> int | None:
    """When the earliest message that is not in flight falls due; None if nothing is pending."""
    row = connection.execute(_NEXT, {"in_flight": json.dumps([*in_flight])}).fetchone()
    return None if row is None else int(row[0])
