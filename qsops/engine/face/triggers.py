"""The start of a workflow's run: the first message to its URL. The steps of a run need a runtime, which is not here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from qsops.engine.core.admission import check_size
from qsops.engine.core.deduplication import deduplication_key
from qsops.engine.core.intake import Admitted
from qsops.engine.core.runs import run_key, run_started_by
from qsops.engine.face.call import Call
from qsops.engine.face.publishing import accept_all, admitted
from qsops.errors import Rejected
from qsops.models import ItemError, Receipt, Trigger, Triggered
from qsops.wire.http import Response
from qsops.wire.runs import run_start_headers
from qsops.wire.triggers import batch_triggered_json, parse_batch_trigger, parse_trigger, triggered_json

__all__ = ["trigger", "trigger_many"]


@dataclass(frozen=True, slots=True)
class _Start:
    """A run that may be started, with its first message."""

    run: Triggered
    first: Admitted


async def trigger(call: Call) -> Response:
    """``POST /v2/trigger/{url}``."""
    start = _start(call, parse_trigger(call.request))
    (receipt,) = await accept_all(call, [start.first])
    run = _run(call, start, receipt)
    return Response.of_json(202 if run.deduplicated else 200, triggered_json(run))


async def trigger_many(call: Call) -> Response:
    """``POST /v2/batch/trigger``: each is started or refused by itself, and all that are started in one commit."""
    results = [_start_or_error(call, item) for item in parse_batch_trigger(call.request)]
    starts = [result for result in results if isinstance(result, _Start)]
    receipts = iter(await accept_all(call, [start.first for start in starts]))
    answers = [one if isinstance(one, ItemError) else _run(call, one, next(receipts)) for one in results]
    return Response.of_json(201, batch_triggered_json(answers))


def _start(call: Call, asked: Trigger) -> _Start:
    check_size(asked.publish, call.engine.plan)
    now_ms, publish = call.engine.clock.now_ms(), asked.publish
    run_id = asked.run_id or call.engine.ids.make("wfr_")
    own = run_start_headers(run_id, publish.destination, now_ms)
    first = admitted(call, msgspec.structs.replace(publish, headers=(*publish.headers, *own)))
    key = deduplication_key(publish) if asked.run_id is None else run_key(asked.run_id)
    return _Start(Triggered(run_id, now_ms), Admitted(first.message, key))


def _start_or_error(call: Call, item: Trigger | ItemError) -> _Start | ItemError:
    if isinstance(item, ItemError):
        return item
    try:
        return _start(call, item)
    except Rejected as error:
        return ItemError(error.text)


def _run(call: Call, start: _Start, receipt: Receipt) -> Triggered:
    """The new run, or the one that there was."""
    if not receipt.deduplicated:
        return start.run
    account, first_id = call.account.number, receipt.message_id
    there = call.engine.database.read(lambda connection: run_started_by(connection, account, first_id))
    return there or replace(start.run, deduplicated=True)
