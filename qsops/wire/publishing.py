"""Publish, enqueue and batch: messages to requests and back, receipts to answers and back.

Source: the publish and batch pages of QStash's documentation; the receipt of a URL group is a bare array, as both SDKs
expect it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from qsops.errors import Corrupt, SettingsError
from qsops.models import Headers, ItemError, Publish, Receipt
from qsops.wire.destinations import destination_of, is_url, target_of
from qsops.wire.http import Request, Response, spelled
from qsops.wire.items import BATCH_ITEMS_LIMIT, Item, parse_items
from qsops.wire.names import check_name
from qsops.wire.options import Defaults, decode_options, encode_options, no_defaults, with_defaults
from qsops.wire.values import json_answer, text

__all__ = [
    "BATCH_ITEMS_LIMIT",
    "BATCH_PATH",
    "ENQUEUE_PATH",
    "PUBLISH_PATH",
    "batch_json",
    "batch_request",
    "fits_batch",
    "parse_batch",
    "parse_batch_receipts",
    "parse_publish",
    "parse_receipts",
    "publish_request",
    "receipt_json",
]

PUBLISH_PATH: Final = "/v2/publish/"
ENQUEUE_PATH: Final = "/v2/enqueue/"
BATCH_PATH: Final = "/v2/batch"


def publish_request(publish: Publish) -> Request:
    """The request that publishes, or with ``publish.queue`` enqueues, one message.

    :raises SettingsError: the destination has parameters that QStash would take for its own.
    """
    path, query = target_of(publish.destination)
    prefix = PUBLISH_PATH if publish.queue is None else f"{ENQUEUE_PATH}{quote(publish.queue, safe='')}/"
    return Request("POST", prefix + path, query, encode_options(publish), publish.body)


def parse_publish(request: Request, defaults: Defaults = no_defaults) -> Publish:
    """The message that a request to ``/v2/publish`` or ``/v2/enqueue`` carries.

    Its destination is the rest of the path and of the query, as they are spelled on the wire. Where that is the name of
    a URL group, it is given to ``defaults`` for the option headers that the group lends.

    :raises Rejected: 400, naming what does not parse.
    """
    queue: str | None = None
    rest = request.path.removeprefix(PUBLISH_PATH)
    if request.path.startswith(ENQUEUE_PATH):
        queue, _, rest = request.path.removeprefix(ENQUEUE_PATH).partition("/")
    destination = destination_of(rest, request.query)
    headers = _lent(destination, request.headers, request.query, defaults)
    publish = decode_options(destination, headers, request.body, request.query)
    return publish if queue is None else _enqueued(publish, unquote(queue))


def fits_batch(publish: Publish) -> bool:
    """Whether a batch can carry ``publish``: it is JSON, which has no form for a body that is not UTF-8."""
    try:
        publish.body.decode()
    except UnicodeDecodeError:
        return False
    return True


def batch_request(messages: Sequence[Publish]) -> Request:
    """The request that publishes ``messages`` in one call.

    :raises SettingsError: a body is not UTF-8; see :func:`fits_batch`.
    """
    items = [_batch_item(message) for message in messages]
    body = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
    return Request("POST", BATCH_PATH, headers=(("Content-Type", "application/json"),), body=body)


def _batch_item(message: Publish) -> dict[str, Any]:
    if not fits_batch(message):
        raise SettingsError(f"the body for {message.destination!r} is not UTF-8: publish it by itself, not in a batch")
    item: dict[str, Any] = {
        # As in a path: what is signed must not depend on the way that a message went.
        "destination": spelled(message.destination),
        "body": message.body.decode(),
        "headers": _joined(message),
    }
    return item if message.queue is None else {**item, "queue": message.queue}


def _joined(message: Publish) -> dict[str, str]:
    """Headers as one value a name: a JSON object holds a name once."""
    found: dict[str, str] = {}
    for name, value in encode_options(message):
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def parse_batch(request: Request, defaults: Defaults = no_defaults) -> list[Publish | ItemError]:
    """The messages of a batch in order; an item that does not parse is an :class:`ItemError`, and the others stand.

    ``defaults`` as for :func:`parse_publish`.

    :raises Rejected: 400 when the body is no array; 413 when it has over BATCH_ITEMS_LIMIT items.
    """

    def read(item: Item) -> Publish:
        headers = _lent(item.destination, item.headers, "", defaults)
        publish = decode_options(item.destination, headers, item.body)
        return _enqueued(publish, item.queue) if item.queue else publish

    return parse_items(request, read)


def _lent(destination: str, headers: Headers, query: str, defaults: Defaults) -> Headers:
    """``headers`` over those that the destination lends, where it is a group."""
    return headers if is_url(destination) else with_defaults(headers, query, defaults(destination))


def _enqueued(publish: Publish, queue: str) -> Publish:
    return msgspec.structs.replace(publish, queue=check_name("queue", queue))


def receipt_json(receipts: Sequence[Receipt], *, group: bool) -> Any:
    """An object for a URL; for a URL group an array with the URL of each."""
    items = [_receipt_fields(receipt, with_url=group) for receipt in receipts]
    return items if group else items[0]


def batch_json(answers: Sequence[Receipt | Sequence[Receipt] | ItemError]) -> list[Any]:
    """One item per message of the batch, in order: a receipt, a group's receipts, or why it was refused."""
    return [_batch_answer(answer) for answer in answers]


def _batch_answer(answer: Receipt | Sequence[Receipt] | ItemError) -> Any:
    if isinstance(answer, ItemError):
        return {"error": answer.error}
    if isinstance(answer, Receipt):
        return receipt_json([answer], group=False)
    return receipt_json(answer, group=True)


def _receipt_fields(receipt: Receipt, *, with_url: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"messageId": receipt.message_id}
    if with_url and receipt.url is not None:
        fields["url"] = receipt.url
    return {**fields, "deduplicated": True} if receipt.deduplicated else fields


def parse_receipts(response: Response) -> list[Receipt]:
    """The receipts of one publish: one for a URL, one per endpoint for a URL group.

    :raises Corrupt: when it holds none.
    """
    return _parse_receipts(json_answer(response))


def parse_batch_receipts(response: Response, count: int) -> list[list[Receipt] | ItemError]:
    """What became of each of the ``count`` messages of a batch, in order.

    :raises Corrupt: when the answer has another number of items.
    """
    answer = json_answer(response)
    items = answer if isinstance(answer, list) else [answer]
    if count == 1 and (len(items) != 1 or not isinstance(items[0], list)) and all(_is_receipt(item) for item in items):
        items = [items]  # A batch of one may be answered without its outer array.
    if len(items) != count:
        raise Corrupt(f"QStash answered a batch of {count} messages with {len(items)} items")
    return [_parse_batch_item(item) for item in items]


def _parse_batch_item(item: Any) -> list[Receipt] | ItemError:
    if isinstance(item, Mapping) and "messageId" not in item and "error" in item:
        return ItemError(str(item["error"]))
    return _parse_receipts(item)


def _parse_receipts(answer: Any) -> list[Receipt]:
    """The OpenAPI document has the array of a URL group inside an object; nothing was seen to send that."""
    if isinstance(answer, Mapping) and isinstance(answer.get("messages"), list):
        answer = answer["messages"]
    return [_parse_receipt(one) for one in (answer if isinstance(answer, list) else [answer])]


def _is_receipt(item: Any) -> bool:
    return isinstance(item, Mapping) and text(item.get("messageId")) is not None


def _parse_receipt(item: Any) -> Receipt:
    if not _is_receipt(item):
        raise Corrupt(f"QStash answered a publish without a messageId: {str(item)[:80]!r}")
    return Receipt(item["messageId"], text(item.get("url")), item.get("deduplicated") is True)
