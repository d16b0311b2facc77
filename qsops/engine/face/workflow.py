"""What Workflow's API has that needs no runtime: waiting for an event, and notifying of one."""

from __future__ import annotations

from sqlite3 import Connection

from qsops.engine.core.terms import Terms
from qsops.engine.core.waiters import notify_all, notify_run, wait, waiters_of
from qsops.engine.face.call import Call
from qsops.engine.face.rates import charge
from qsops.models import Notification, Notified, Receipt
from qsops.wire.http import Response
from qsops.wire.workflow import notified_json, parse_notify, parse_wait, parse_waiters_request, waiters_json

__all__ = ["notify", "wait_for", "waiters"]


async def wait_for(call: Call) -> Response:
    """``POST /v2/wait/{event}``."""
    spec, account, now_ms = parse_wait(call.request), call.account.number, call.engine.clock.now_ms()
    terms = _terms(call)

    def operation(connection: Connection) -> Receipt | None:
        receipt = wait(connection, account, spec, now_ms, terms, call.caller_ip)
        charge(connection, call.engine, account, [receipt] if receipt else [])
        return receipt

    receipt = await call.engine.database.submit(operation)
    call.engine.wake()
    return Response.of_json(200, {"messageId": receipt.message_id} if receipt else {})


async def waiters(call: Call) -> Response:
    """``GET /v2/waiters/{event}``."""
    event = parse_waiters_request(call.request)
    found = call.engine.database.read(lambda connection: waiters_of(connection, call.account.number, event))
    return Response.of_json(200, waiters_json(found))


async def notify(call: Call) -> Response:
    """``POST /v2/notify/{event}``, or ``/v2/notify/{run}/{event}``."""
    told = parse_notify(call.request)
    if told.run_id is not None:
        notified = [await _notify_run(call, told)]
    else:
        notified = await _notify_all(call, told)
    call.engine.wake()
    return Response.of_json(201, notified_json(notified, run=told.run_id is not None))


async def _notify_run(call: Call, told: Notification) -> Notified:
    account, now_ms, terms = call.account.number, call.engine.clock.now_ms(), _terms(call)

    def operation(connection: Connection) -> Notified:
        notified = notify_run(connection, account, told, now_ms, terms)
        charge(connection, call.engine, account, _receipts([notified]))
        return notified

    return await call.engine.database.submit(operation)


async def _notify_all(call: Call, told: Notification) -> list[Notified]:
    """In transactions of a bounded size. Where one fails, those that were told before have their message."""
    account, now_ms, terms = call.account.number, call.engine.clock.now_ms(), _terms(call)

    def operation(connection: Connection) -> tuple[list[Notified], int | None]:
        portion, last = notify_all(connection, account, told, now_ms, terms, after)
        charge(connection, call.engine, account, _receipts(portion))
        return portion, last

    notified: list[Notified] = []
    last: int | None = 0
    while last is not None:
        after = last
        portion, last = await call.engine.database.submit(operation)
        notified += portion
    return notified


def _receipts(notified: list[Notified]) -> list[Receipt]:
    return [Receipt(one.message_id) for one in notified if one.message_id is not None]


def _terms(call: Call) -> Terms:
    return Terms(call.engine.plan, call.engine.ids, call.engine.daily_limit)
