"""Publishing: one message, or many; to a URL, or to each endpoint of a URL group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from sqlite3 import Connection

from qsops.engine.core.admission import admit, check_size
from qsops.engine.core.deduplication import deduplication_key, endpoint_key
from qsops.engine.core.groups import Recipients, recipients_of
from qsops.engine.core.intake import Admitted, accept_each
from qsops.engine.face.call import Call
from qsops.engine.face.rates import charge
from qsops.engine.plans import FAN_OUT_BYTES, FAN_OUT_LIMIT
from qsops.engine.texts import fan_out_too_large, fan_out_too_wide
from qsops.errors import Rejected
from qsops.models import Endpoint, Headers, ItemError, Message, Publish, Receipt
from qsops.wire.destinations import is_url
from qsops.wire.http import Response
from qsops.wire.names import is_name
from qsops.wire.publishing import batch_json, parse_batch, parse_publish, receipt_json

__all__ = ["accept_all", "admitted", "batch", "publish"]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one publish makes: a message, or for a group one for each endpoint."""

    messages: list[Admitted]
    to_group: bool


class _Groups:
    """The groups that one request names, each read once, so that headers and endpoints fit together."""

    def __init__(self, call: Call) -> None:
        account, database = call.account.number, call.engine.database
        self._read: Callable[[str], Recipients | None] = cache(
            lambda name: database.read(lambda connection: recipients_of(connection, account, name))
        )

    def of(self, name: str) -> Recipients | None:
        """The group ``name``; None if there is none."""
        return self._read(name) if is_name(name) else None

    def lent(self, name: str) -> Headers:
        """The option headers that it lends to what is published to it."""
        found = self.of(name)
        return found.headers if found else ()


async def publish(call: Call) -> Response:
    """``POST /v2/publish/{destination}``, and ``POST /v2/enqueue/{queue}/{destination}``."""
    groups = _Groups(call)
    wanted = _wanted(call, parse_publish(call.request, groups.lent), groups)
    _check_sum([wanted])
    receipts = await accept_all(call, wanted.messages)
    status = 202 if all(receipt.deduplicated for receipt in receipts) else 200
    return Response.of_json(status, receipt_json(receipts, group=wanted.to_group))


async def batch(call: Call) -> Response:
    """``POST /v2/batch``: each item is accepted or refused by itself, and all that are accepted in one commit."""
    groups = _Groups(call)
    results = [_wanted_or_error(call, item, groups) for item in parse_batch(call.request, groups.lent)]
    wanted = [result for result in results if isinstance(result, _Wanted)]
    _check_sum(wanted)
    found = iter(await _accept_each(call, wanted))
    answers = [next(found) if isinstance(result, _Wanted) else result for result in results]
    return Response.of_json(200, batch_json(answers))


def admitted(call: Call, asked: Publish) -> Admitted:
    """The message that ``asked`` makes, under a new id.

    :raises Rejected: when it cannot be accepted.
    """
    return Admitted(_message(call, asked), deduplication_key(asked))


async def accept_all(call: Call, wanted: Sequence[Admitted]) -> list[Receipt]:
    """Accept ``wanted`` in one commit, and wake the driver.

    :raises Rejected: 412 when they ask for one queue more than the plan allows; none is accepted then.
    :raises TooMany: when the day's messages do not suffice for them; likewise.
    """
    now_ms = call.engine.clock.now_ms()

    def operation(connection: Connection) -> list[Receipt]:
        receipts = [_or_raise(result) for result in _results(connection, call, wanted, now_ms)]
        charge(connection, call.engine, call.account.number, receipts)
        return receipts

    receipts = await call.engine.database.submit(operation)
    call.engine.wake()
    return receipts


async def _accept_each(call: Call, wanted: Sequence[_Wanted]) -> list[Receipt | list[Receipt] | ItemError]:
    if not wanted:
        return []
    now_ms = call.engine.clock.now_ms()
    messages = [one for each in wanted for one in each.messages]

    def operation(connection: Connection) -> list[Receipt | Rejected]:
        results = _results(connection, call, messages, now_ms)
        receipts = [result for result in results if isinstance(result, Receipt)]
        charge(connection, call.engine, call.account.number, receipts)
        return results

    results = iter(await call.engine.database.submit(operation))
    call.engine.wake()
    return [_answer(one, [*islice(results, len(one.messages))]) for one in wanted]


def _answer(wanted: _Wanted, results: Sequence[Receipt | Rejected]) -> Receipt | list[Receipt] | ItemError:
    """The messages of one publish have one queue: either there is room for it, or each of them is refused."""
    refusal = next((result for result in results if isinstance(result, Rejected)), None)
    if refusal is not None:
        return ItemError(refusal.text)
    receipts = [result for result in results if isinstance(result, Receipt)]
    return receipts if wanted.to_group else receipts[0]


def _results(connection: Connection, call: Call, wanted: Sequence[Admitted], now_ms: int) -> list[Receipt | Rejected]:
    results = accept_each(connection, call.account.number, wanted, now_ms, call.engine.plan)
    return [
        replace(result, url=one.message.url) if one.message.url_group and isinstance(result, Receipt) else result
        for result, one in zip(results, wanted, strict=True)
    ]


def _or_raise(result: Receipt | Rejected) -> Receipt:
    if isinstance(result, Rejected):
        raise result
    return result


def _wanted(call: Call, asked: Publish, groups: _Groups) -> _Wanted:
    check_size(asked, call.engine.plan)
    found = None if is_url(asked.destination) else groups.of(asked.destination)
    if found is None:
        return _Wanted([admitted(call, asked)], to_group=False)
    key = deduplication_key(asked)
    keys = [None if key is None else endpoint_key(key, endpoint.url) for endpoint in found.endpoints]
    messages = [_message(call, asked, endpoint) for endpoint in found.endpoints]
    return _Wanted(list(map(Admitted, messages, keys)), to_group=True)


def _wanted_or_error(call: Call, item: Publish | ItemError, groups: _Groups) -> _Wanted | ItemError:
    if isinstance(item, ItemError):
        return item
    try:
        return _wanted(call, item, groups)
    except Rejected as error:
        return ItemError(error.text)


def _message(call: Call, asked: Publish, endpoint: Endpoint | None = None) -> Message:
    engine = call.engine
    return admit(
        asked,
        engine.plan,
        message_id=engine.ids.make("msg_"),
        now_ms=engine.clock.now_ms(),
        caller_ip=call.caller_ip,
        endpoint=endpoint,
    )


def _check_sum(wanted: Iterable[_Wanted]) -> None:
    """Hold what one request makes to a size that one commit can have: groups make much of little."""
    messages = [one.message for each in wanted if each.to_group for one in each.messages]
    if len(messages) > FAN_OUT_LIMIT:
        raise Rejected(413, fan_out_too_wide(len(messages), FAN_OUT_LIMIT))
    if sum(len(message.body) for message in messages) > FAN_OUT_BYTES:
        raise Rejected(413, fan_out_too_large(FAN_OUT_BYTES))
