"""The start of a workflow's run, one or many at a time: a message to its URL, under an id that all its steps share.

Source: the Workflow API's document (reference, section 13).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from qsops.errors import Corrupt, Rejected
from qsops.models import Headers, ItemError, Publish, Trigger, Triggered
from qsops.wire import texts
from qsops.wire.destinations import destination_of, is_url, target_of
from qsops.wire.http import Request, Response, header
from qsops.wire.items import Item, parse_items
from qsops.wire.options import decode_options, encode_options, with_parameters
from qsops.wire.publishing import batch_request
from qsops.wire.values import json_answer, listed, number, text
from qsops.wire.waits import RUN_ID, checked_event

__all__ = [
    "BATCH_TRIGGER_PATH",
    "TRIGGER_PATH",
    "batch_trigger_request",
    "batch_triggered_json",
    "parse_batch_trigger",
    "parse_batch_triggered",
    "parse_trigger",
    "parse_triggered",
    "trigger_request",
    "triggered_json",
]

TRIGGER_PATH: Final = "/v2/trigger"
BATCH_TRIGGER_PATH: Final = "/v2/batch/trigger"


def trigger_request(trigger: Trigger) -> Request:
    """Start a run.

    :raises SettingsError: the URL has parameters that QStash would take for its own.
    """
    path, query = target_of(trigger.publish.destination)
    headers = (*encode_options(trigger.publish), *_run(trigger))
    return Request("POST", f"{TRIGGER_PATH}/{path}", query, headers, trigger.publish.body)


def batch_trigger_request(triggers: Sequence[Trigger]) -> Request:
    """Start several runs in one call.

    :raises SettingsError: a body is not UTF-8.
    """
    batch = batch_request([trigger.publish for trigger in triggers])
    items = json.loads(batch.body)
    for item, trigger in zip(items, triggers, strict=True):
        item["headers"] |= dict(_run(trigger))
    return Request.of_json("POST", BATCH_TRIGGER_PATH, items)


def parse_trigger(request: Request) -> Trigger:
    """The run that a request starts; its URL is the rest of the path and of the query, as they are spelled there.

    :raises Rejected: 400, naming what does not parse.
    """
    url = destination_of(request.path.removeprefix(f"{TRIGGER_PATH}/"), request.query)
    headers = with_parameters(request.headers, request.query)
    return _trigger(url, decode_options(url, headers, request.body), headers)


def parse_batch_trigger(request: Request) -> list[Trigger | ItemError]:
    """The runs that a request starts, in order; an item that does not parse is an error, and the others stand.

    :raises Rejected: 400 when the body is no array; 413 when it has too many items.
    """

    def read(item: Item) -> Trigger:
        return _trigger(item.destination, decode_options(item.destination, item.headers, item.body), item.headers)

    return parse_items(request, read)


def _trigger(url: str, publish: Publish, headers: Headers) -> Trigger:
    if not is_url(url):
        raise Rejected(400, texts.INVALID_SCHEME)
    run_id = (header(headers, RUN_ID) or "").strip()
    return Trigger(publish, checked_event(run_id) if run_id else None)


def triggered_json(triggered: Triggered) -> dict[str, Any]:
    """The run that was started; or, deduplicated, the one that there was."""
    fields: dict[str, Any] = {"workflowRunId": triggered.run_id, "workflowCreatedAt": triggered.created_at_ms}
    return {**fields, "deduplicated": True} if triggered.deduplicated else fields


def batch_triggered_json(answers: Sequence[Triggered | ItemError]) -> list[dict[str, Any]]:
    """One item per run, in order: what was started, or why not."""
    return [{"error": one.error} if isinstance(one, ItemError) else triggered_json(one) for one in answers]


def parse_triggered(response: Response) -> Triggered:
    """The run that was started.

    :raises Corrupt: without a workflowRunId.
    """
    return _triggered(json_answer(response))


def parse_batch_triggered(response: Response, count: int) -> list[Triggered | ItemError]:
    """What became of each of the ``count`` runs, in order.

    :raises Corrupt: when the answer has another number of items.
    """
    items = listed(response, "triggered runs")
    if len(items) != count:
        raise Corrupt(f"QStash answered a batch of {count} runs with {len(items)} items")
    return [_batch_item(item) for item in items]


def _batch_item(item: Any) -> Triggered | ItemError:
    if isinstance(item, Mapping) and "workflowRunId" not in item and "error" in item:
        return ItemError(str(item["error"]))
    return _triggered(item)


def _triggered(fields: Any) -> Triggered:
    run_id = text(fields.get("workflowRunId")) if isinstance(fields, Mapping) else None
    if run_id is None:
        raise Corrupt(f"QStash answered a trigger without a workflowRunId: {str(fields)[:80]!r}")
    return Triggered(run_id, number(fields.get("workflowCreatedAt")) or 0, fields.get("deduplicated") is True)


def _run(trigger: Trigger) -> Headers:
    return () if trigger.run_id is None else ((RUN_ID, trigger.run_id),)
