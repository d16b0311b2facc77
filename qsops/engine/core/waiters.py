"""Who waits for an event: told when it happens, or by another message when the time has run out.

An engine without a workflow's runtime knows no steps: who waits is sent the event as it was notified, as a message of
its own, under the options it waits with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

import msgspec

from qsops.engine.core.admission import admit
from qsops.engine.core.intake import accept
from qsops.engine.core.terms import Terms
from qsops.engine.texts import too_many_notifications
from qsops.errors import Rejected
from qsops.models import Headers, Message, Notification, Notified, Receipt, Waiter, WaitSpec
from qsops.wire import texts
from qsops.wire.options import decode_options
from qsops.wire.runs import run_created_at_ms, run_headers
from qsops.wire.values import to_base64, unbase64
from qsops.wire.waits import RUN_ID

__all__ = ["WAITERS_LIMIT", "expire_due", "next_deadline_ms", "notify_all", "notify_run", "wait", "waiters_of"]

#: Waiters of one listing.
WAITERS_LIMIT: Final = 10_000

#: How many are told in one transaction, and how many bytes together.
_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 64 * 1024 * 1024
#: How long a run that was notified may take to wait for it: as long as it would wait, unless it says.
_SAVED_MS: Final = 7 * 86_400_000
#: How many notifications one run may have before it waits for their event.
_SAVED_LIMIT: Final = 100

_INSERT: Final = "insert into waiters (account, event, run, deadline_ms, request) values (?, ?, ?, ?, ?)"
_SELECT: Final = "select waiter, account, deadline_ms, run, request from waiters"
_OF_EVENT: Final = f"{_SELECT} where account = ? and event = ? and waiter > ? order by waiter limit ?"
_OF_RUN: Final = f"{_SELECT} where account = ? and event = ? and run = ? order by waiter limit 1"
_DUE: Final = f"{_SELECT} where deadline_ms <= ? order by deadline_ms, waiter limit ?"
_NEXT: Final = "select min(deadline_ms) from waiters"
_DELETE: Final = "delete from waiters where waiter = ?"
_SAVE: Final = "insert into notifications (account, run, event, body, until_ms) values (?, ?, ?, ?, ?)"
_SAVED: Final = "select count(*) from notifications where account = ? and run = ? and event = ?"
_TAKE: Final = """
    delete from notifications where notification = (
        select min(notification) from notifications where account = ? and run = ? and event = ?
    ) returning body
"""
_FORGET: Final = "delete from notifications where until_ms <= ?"


class _Kept(NamedTuple):
    """A waiter as it is kept."""

    number: int
    account: int
    caller_ip: str
    waiter: Waiter


def wait(
    connection: Connection, account: int, spec: WaitSpec, now_ms: int, terms: Terms, caller_ip: str
) -> Receipt | None:
    """Wait for the event of ``spec``; where its run was notified of it before, that is sent at once.

    :raises Rejected: 400 for a message that cannot be sent when it comes to that, 412 over a limit of the plan.
    """
    waiter = _waiter(spec, now_ms)
    _check(spec, waiter, now_ms, terms, caller_ip)
    connection.execute(_FORGET, (now_ms,))
    saved = connection.execute(_TAKE, (account, spec.run_id, spec.event)).fetchone() if spec.run_id else None
    if saved is not None:
        message = _message(waiter.url, waiter.headers, saved[0], now_ms, terms, caller_ip)
        return accept(connection, account, message, now_ms, plan=terms.plan)
    deadline_ms = now_ms + spec.timeout_s * 1000
    connection.execute(_INSERT, (account, spec.event, spec.run_id, deadline_ms, _encode(waiter, caller_ip)))
    return None


def waiters_of(connection: Connection, account: int, event: str) -> list[Waiter]:
    """Who waits for ``event``, in the order in which they came."""
    return [_kept(row).waiter for row in connection.execute(_OF_EVENT, (account, event, 0, WAITERS_LIMIT))]


def notify_all(
    connection: Connection, account: int, told: Notification, now_ms: int, terms: Terms, after: int
) -> tuple[list[Notified], int | None]:
    """Tell the next of those who wait, behind the one with the number ``after``.

    Returns what was done to each, and the number of the last; None if there are no more.
    """
    most = max(1, min(_AT_ONCE, _BYTES_AT_ONCE // max(1, len(told.body))))
    found = [_kept(row) for row in connection.execute(_OF_EVENT, (account, told.event, after, most)).fetchall()]
    notified = [_tell(connection, one, told.body, now_ms, terms) for one in found]
    return notified, found[-1].number if len(found) == most else None


def notify_run(connection: Connection, account: int, told: Notification, now_ms: int, terms: Terms) -> Notified:
    """Tell the run, or keep it until it waits.

    :raises Rejected: 412 when it has been told too often without waiting.
    """
    row = connection.execute(_OF_RUN, (account, told.event, told.run_id)).fetchone()
    if row is not None:
        return _tell(connection, _kept(row), told.body, now_ms, terms)
    connection.execute(_FORGET, (now_ms,))
    (count,) = connection.execute(_SAVED, (account, told.run_id, told.event)).fetchone()
    if count >= _SAVED_LIMIT:
        raise Rejected(412, too_many_notifications(told.event, _SAVED_LIMIT))
    connection.execute(_SAVE, (account, told.run_id, told.event, told.body, now_ms + _SAVED_MS))
    return Notified(run_id=told.run_id)


def next_deadline_ms(connection: Connection) -> int | None:
    """When the first of all who wait has waited long enough."""
    (at_ms,) = connection.execute(_NEXT).fetchone()
    return None if at_ms is None else int(at_ms)


def expire_due(connection: Connection, now_ms: int, terms: Terms) -> None:
    """Send the message of each whose time has run out, if it wanted one."""
    for row in connection.execute(_DUE, (now_ms, _AT_ONCE)).fetchall():
        kept = _kept(row)
        connection.execute(_DELETE, (kept.number,))
        if kept.waiter.timeout_url is not None:
            headers, body = kept.waiter.timeout_headers, kept.waiter.timeout_body or b""
            _send(connection, kept, kept.waiter.timeout_url, headers, body, now_ms, terms)


def _tell(connection: Connection, kept: _Kept, body: bytes, now_ms: int, terms: Terms) -> Notified:
    waiter = kept.waiter
    connection.execute(_DELETE, (kept.number,))
    receipt = _send(connection, kept, waiter.url, waiter.headers, body, now_ms, terms)
    return Notified(
        waiter=waiter,
        message_id=receipt.message_id if isinstance(receipt, Receipt) else None,
        error=receipt.text if isinstance(receipt, Rejected) else None,
        run_id=waiter.run_id,
        run_created_at_ms=run_created_at_ms(waiter.headers),
    )


def _send(
    connection: Connection, kept: _Kept, url: str, headers: Headers, body: bytes, now_ms: int, terms: Terms
) -> Receipt | Rejected:
    """It was checked when it came; since then the plan may be another."""
    try:
        message = _message(url, headers, body, now_ms, terms, kept.caller_ip)
        return accept(connection, kept.account, message, now_ms, plan=terms.plan)
    except Rejected as rejection:
        return rejection


def _check(spec: WaitSpec, waiter: Waiter, now_ms: int, terms: Terms, caller_ip: str) -> None:
    if spec.timeout_s > terms.plan.delay_s:
        raise Rejected(412, texts.quota_exceeded("maxDelay", terms.plan.delay_s))
    _message(waiter.url, waiter.headers, b"", now_ms, terms, caller_ip)
    if waiter.timeout_url is not None:
        _message(waiter.timeout_url, waiter.timeout_headers, b"", now_ms, terms, caller_ip)


def _message(url: str, headers: Headers, body: bytes, now_ms: int, terms: Terms, caller_ip: str) -> Message:
    publish = decode_options(url, headers, body)
    return admit(
        msgspec.structs.replace(publish, headers=(*publish.headers, *run_headers(headers))),
        terms.plan,
        message_id=terms.ids.make("msg_"),
        now_ms=now_ms,
        caller_ip=caller_ip,
    )


def _waiter(spec: WaitSpec, now_ms: int) -> Waiter:
    run = () if spec.run_id is None else ((RUN_ID, spec.run_id),)
    return Waiter(
        url=spec.url,
        deadline_s=now_ms // 1000 + spec.timeout_s,
        headers=(*run, *spec.headers),
        timeout_url=spec.timeout_url,
        timeout_body=spec.timeout_body,
        timeout_headers=spec.timeout_headers,
        run_id=spec.run_id,
    )


def _encode(waiter: Waiter, caller_ip: str) -> str:
    body = None if waiter.timeout_body is None else to_base64(waiter.timeout_body)
    return json.dumps({**asdict(waiter), "timeout_body": body, "caller_ip": caller_ip}, ensure_ascii=False)


def _kept(row: Sequence[Any]) -> _Kept:
    number, account, deadline_ms, run_id, request = row
    known = json.loads(request)
    body = known["timeout_body"]
    waiter = Waiter(
        url=known["url"],
        deadline_s=deadline_ms // 1000,
        headers=_headers(known["headers"]),
        timeout_url=known["timeout_url"],
        timeout_body=None if body is None else unbase64(body),
        timeout_headers=_headers(known["timeout_headers"]),
        run_id=run_id,
    )
    return _Kept(number, account, known["caller_ip"], waiter)


def _headers(pairs: Sequence[Sequence[str]]) -> Headers:
    return tuple((name, value) for name, value in pairs)
