"""Dead letters: listed, read, deleted, retried; singly and by filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from sqlite3 import Connection

from qsops.engine.core.dead_letters import dead_letter_ids, dead_letters, remove
from qsops.engine.core.intake import Admitted
from qsops.engine.core.redaction import redacted
from qsops.engine.core.replays import publish_again, replay
from qsops.engine.face.call import Call
from qsops.engine.face.publishing import admitted
from qsops.engine.face.rates import charge
from qsops.errors import Rejected
from qsops.models import DeadLetter, DlqFilter, Headers, Page, Receipt
from qsops.wire import texts
from qsops.wire.dlq import (
    DLQ_LIMIT,
    dead_letter_json,
    deleted_json,
    dlq_json,
    parse_dlq_bulk_request,
    parse_dlq_bulk_retry,
    parse_dlq_request,
    parse_dlq_retry,
    retried_json,
)
from qsops.wire.http import Response
from qsops.wire.trimming import parse_trim, trimmed_letter

__all__ = ["delete_many", "delete_one", "get", "list_page", "retry_many", "retry_one"]


async def list_page(call: Call) -> Response:
    """``GET /v2/dlq``."""
    wanted, cursor, count = parse_dlq_request(call.request)
    limit, size = count or DLQ_LIMIT, parse_trim(call.request)
    page = call.engine.database.read(
        lambda connection: dead_letters(connection, call.account.number, wanted, cursor=cursor, limit=limit)
    )
    shown = tuple(trimmed_letter(_shown(letter), size) for letter in page.items)
    return Response.of_json(200, dlq_json(Page(shown, page.cursor)))


async def get(call: Call) -> Response:
    """``GET /v2/dlq/{dlqId}``."""
    return Response.of_json(200, dead_letter_json(_shown(_one(call))))


async def delete_one(call: Call) -> Response:
    """``DELETE /v2/dlq/{dlqId}``."""
    if await _delete(call, [call.argument]) == 0:
        raise Rejected(404, texts.dead_letter_not_found(call.argument))
    return Response.of_json(200, {"deleted": 1})


async def delete_many(call: Call) -> Response:
    """``DELETE /v2/dlq``: those with the ids given, or one page of those that match."""
    ids = _chosen(call, *parse_dlq_bulk_request(call.request))
    return Response.of_json(200, deleted_json(await _delete(call, ids.items), ids.cursor))


async def retry_one(call: Call) -> Response:
    """``POST /v2/dlq/retry/{dlqId}``."""
    overrides = parse_dlq_retry(call.request)
    receipts = await _retry(call, [_one(call)], overrides)
    if not receipts:
        raise Rejected(404, texts.dead_letter_not_found(call.argument))
    return Response.of_json(201, {"messageId": receipts[0].message_id})


async def retry_many(call: Call) -> Response:
    """``POST /v2/dlq/retry``: as in bulk deletion; an id that is unknown is refused before any is retried."""
    (wanted, cursor, count), overrides = parse_dlq_bulk_retry(call.request)
    ids = _chosen(call, wanted, cursor, count)
    unknown = set(wanted.dlq_ids).difference(ids.items)
    if unknown:
        raise Rejected(404, texts.dead_letter_not_found(min(unknown)))
    receipts: list[Receipt] = []
    remaining = DlqFilter(dlq_ids=ids.items, earliest_first=wanted.earliest_first)
    # A page of letters ends early when their bodies are large, so one round may not do.
    while remaining.dlq_ids and (letters := _letters(call, remaining)):
        receipts += await _retry(call, letters, overrides)
        done = {letter.dlq_id for letter in letters}
        remaining = replace(remaining, dlq_ids=tuple(one for one in remaining.dlq_ids if one not in done))
    return Response.of_json(201, retried_json(receipts, ids.cursor))


def _chosen(call: Call, wanted: DlqFilter, cursor: str | None, count: int | None) -> Page[str]:
    """What a bulk request is about. Ids are taken as one page, however many; otherwise ``count`` bounds it."""
    limit = len(wanted.dlq_ids) or count or DLQ_LIMIT
    return call.engine.database.read(
        lambda connection: dead_letter_ids(connection, call.account.number, wanted, cursor=cursor, limit=limit)
    )


def _letters(call: Call, wanted: DlqFilter) -> list[DeadLetter]:
    page = call.engine.database.read(
        lambda connection: dead_letters(connection, call.account.number, wanted, limit=len(wanted.dlq_ids))
    )
    return list(page.items)


def _one(call: Call) -> DeadLetter:
    letters = _letters(call, DlqFilter(dlq_ids=(call.argument,)))
    if not letters:
        raise Rejected(404, texts.dead_letter_not_found(call.argument))
    return letters[0]


def _shown(letter: DeadLetter) -> DeadLetter:
    return replace(letter, message=redacted(letter.message))


async def _delete(call: Call, dlq_ids: Sequence[str]) -> int:
    account = call.account.number
    return await call.engine.database.submit(
        lambda connection: sum(remove(connection, account, dlq_id) for dlq_id in dlq_ids)
    )


async def _retry(call: Call, letters: list[DeadLetter], overrides: Headers) -> list[Receipt]:
    """New messages for those ``letters`` that are still there, with ``overrides``, all in one commit.

    :raises Rejected: 412 when a queue of theirs would be one more than the plan allows; all stay where they are then.
    :raises TooMany: when the day's messages do not suffice for them; likewise.
    """
    chosen = [(letter.dlq_id, _admitted(call, letter, overrides)) for letter in letters]
    account, now_ms, plan = call.account.number, call.engine.clock.now_ms(), call.engine.plan

    def operation(connection: Connection) -> list[Receipt]:
        found = [replay(connection, account, dlq_id, new.message, now_ms, new.key, plan) for dlq_id, new in chosen]
        receipts = [receipt for receipt in found if receipt is not None]
        charge(connection, call.engine, account, receipts)
        return receipts

    receipts = await call.engine.database.submit(operation)
    call.engine.wake()
    return receipts


def _admitted(call: Call, letter: DeadLetter, overrides: Headers) -> Admitted:
    """The new message; it goes to the one endpoint that failed, and still counts as its group's and its schedule's."""
    before = letter.message
    new = admitted(call, publish_again(before, overrides))
    message = replace(new.message, url_group=before.url_group, endpoint=before.endpoint, schedule_id=before.schedule_id)
    return replace(new, message=message)
