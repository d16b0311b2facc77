"""Publishing: one message, or many."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection

from qsops.engine.core.admission import admit, check_size
from qsops.engine.core.deduplication import deduplication_key
from qsops.engine.core.intake import accept
from qsops.engine.face.call import Call
from qsops.engine.face.rates import charge
from qsops.errors import Rejected
from qsops.models import ItemError, Message, Publish, Receipt
from qsops.wire.http import Response
from qsops.wire.publishing import batch_json, parse_batch, parse_publish, receipt_json

__all__ = ["Admitted", "accept_all", "admitted", "batch", "publish"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A message that may be accepted, and the key under which it counts as one with others."""

    message: Message
    key: str | None


async def publish(call: Call) -> Response:
    """``POST /v2/publish/{destination}``."""
    (receipt,) = await accept_all(call, [_admitted_anew(call, parse_publish(call.request))])
    return Response.of_json(202 if receipt.deduplicated else 200, receipt_json([receipt], group=False))


async def batch(call: Call) -> Response:
    """``POST /v2/batch``: each item is accepted or refused by itself, and all that are accepted in one commit."""
    results = [_admitted_or_error(call, item) for item in parse_batch(call.request)]
    receipts = iter(await accept_all(call, [result for result in results if isinstance(result, Admitted)]))
    answers = [next(receipts) if isinstance(result, Admitted) else result for result in results]
    return Response.of_json(200, batch_json(answers))


def admitted(call: Call, asked: Publish) -> Admitted:
    """The message that ``asked`` makes, under a new id.

    :raises Rejected: when it cannot be accepted.
    """
    engine = call.engine
    message = admit(
        asked,
        engine.plan,
        message_id=engine.ids.make("msg_"),
        now_ms=engine.clock.now_ms(),
        caller_ip=call.caller_ip,
    )
    return Admitted(message, deduplication_key(asked))


async def accept_all(call: Call, wanted: list[Admitted]) -> list[Receipt]:
    """Accept ``wanted`` in one commit, and wake the driver.

    :raises TooMany: when the day's messages do not suffice for them; none is accepted then.
    """
    if not wanted:
        return []
    account, now_ms = call.account.number, call.engine.clock.now_ms()

    def operation(connection: Connection) -> list[Receipt]:
        found = [accept(connection, account, one.message, now_ms, one.key) for one in wanted]
        charge(connection, call.engine, account, found)
        return found

    receipts = await call.engine.database.submit(operation)
    call.engine.wake()
    return receipts


def _admitted_anew(call: Call, asked: Publish) -> Admitted:
    check_size(asked, call.engine.plan)
    return admitted(call, asked)


def _admitted_or_error(call: Call, item: Publish | ItemError) -> Admitted | ItemError:
    if isinstance(item, ItemError):
        return item
    try:
        return _admitted_anew(call, item)
    except Rejected as error:
        return ItemError(error.text)
