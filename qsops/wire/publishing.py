"""Publish, enqueue and batch: messages to requests and back, receipts to answers and back.

Source: the publish and batch pages of QStash's documentation; the receipt of a URL group is a bare array, as both SDKs
expect it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from qsops.errors import Corrupt, Rejected
from qsops.models import Headers, ItemError, Publish, Receipt
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.options import OPTION_PREFIX, decode_options, encode_options
from qsops.wire.values import json_answer, json_body

__all__ = [
    "BATCH_PATH",
    "ENQUEUE_PATH",
    "PUBLISH_PATH",
    "batch_json",
    "batch_request",
    "parse_batch",
    "parse_batch_receipts",
    "parse_publish",
    "parse_receipts",
    "publish_request",
    "receipt_json",
]

PUBLISH_PATH = "/v2/publish/"
ENQUEUE_PATH = "/v2/enqueue/"
BATCH_PATH = "/v2/batch"


def publish_request(publish: Publish) -> Request:
    """The request that publishes, or with ``publish.queue`` enqueues, one message."""
    path, _, query = publish.destination.partition("?")
    prefix = PUBLISH_PATH if publish.queue is None else f"{ENQUEUE_PATH}{publish.queue}/"
    return Request("POST", prefix + path, query, encode_options(publish), publish.body)


def parse_publish(request: Request) -> Publish:
    """The message that a request to ``/v2/publish`` or ``/v2/enqueue`` carries.

    :raises Rejected: 400, naming what does not parse.
    """
    queue: str | None = None
    rest = request.path.removeprefix(PUBLISH_PATH)
    if request.path.startswith(ENQUEUE_PATH):
        queue, _, rest = request.path.removeprefix(ENQUEUE_PATH).partition("/")
    options, query = _split_query(request.query)
    destination = _destination(rest) + (f"?{query}" if query else "")
    publish = decode_options(destination, request.headers, request.body, options)
    return publish if queue is None else replace(publish, queue=unquote(queue))


def batch_request(messages: Sequence[Publish]) -> Request:
    """The request that publishes ``messages`` in one call.

    :raises Rejected: 400 when a body is not UTF-8; such a message is published by itself.
    """
    items = [_batch_item(message) for message in messages]
    body = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
    return Request("POST", BATCH_PATH, headers=(("Content-Type", "application/json"),), body=body)


def _batch_item(message: Publish) -> dict[str, Any]:
    try:
        body = message.body.decode()
    except UnicodeDecodeError as error:
        raise Rejected(400, texts.invalid_body("a batch carries text, this body is not UTF-8")) from error
    item: dict[str, Any] = {"destination": message.destination, "body": body, "headers": _joined(message)}
    return item if message.queue is None else {**item, "queue": message.queue}


def _joined(message: Publish) -> dict[str, str]:
    """Headers as one value a name: a JSON object holds a name once."""
    found: dict[str, str] = {}
    for name, value in encode_options(message):
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def parse_batch(request: Request) -> list[Publish | ItemError]:
    """The messages of a batch in order; an item that does not parse is an :class:`ItemError`, and the others stand.

    :raises Rejected: 400 when the body is no array.
    """
    items = json_body(request.body)
    if not isinstance(items, list):
        raise Rejected(400, texts.invalid_body("a batch is an array of messages"))
    return [_parse_item(item) for item in items]


def _parse_item(item: Any) -> Publish | ItemError:
    try:
        if not isinstance(item, Mapping) or not isinstance(item.get("destination"), str):
            raise Rejected(400, texts.invalid_body("a message of a batch is an object with a destination"))
        headers = _item_headers(item.get("headers"))
        body = item.get("body")
        if not isinstance(body, str | None):
            raise Rejected(400, texts.invalid_body("the body of a batch's message is a string"))
        publish = decode_options(_repaired(item["destination"]), headers, (body or "").encode())
    except Rejected as error:
        return ItemError(error.text)
    queue = item.get("queue")
    return replace(publish, queue=queue) if isinstance(queue, str) and queue else publish


def _item_headers(value: Any) -> Headers:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise Rejected(400, texts.invalid_body("the headers of a batch's message are an object"))
    pairs = ((str(name), one) for name, many in value.items() for one in (many if isinstance(many, list) else [many]))
    return tuple((name, str(one)) for name, one in pairs if one is not None)


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
    answer = json_answer(response)
    return [_parse_receipt(item) for item in (answer if isinstance(answer, list) else [answer])]


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
    return [_parse_receipt(one) for one in (item if isinstance(item, list) else [item])]


def _is_receipt(item: Any) -> bool:
    return isinstance(item, Mapping) and "messageId" in item


def _parse_receipt(item: Any) -> Receipt:
    if not _is_receipt(item):
        raise Corrupt(f"QStash answered a publish without a messageId: {str(item)[:80]!r}")
    return Receipt(str(item["messageId"]), item.get("url"), bool(item.get("deduplicated", False)))


def _split_query(query: str) -> tuple[Headers, str]:
    """Options given as query parameters, and what is left: it belongs to the destination, as it was spelled."""
    options: list[tuple[str, str]] = []
    rest: list[str] = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        name = unquote(name).lower()
        if name.startswith(OPTION_PREFIX):
            options.append((name, unquote(value.replace("+", " "))))
        elif name != "qstash_token":
            rest.append(part)
    return tuple(options), "&".join(rest)


def _destination(raw: str) -> str:
    """The destination as its publisher spelled it; one that was escaped as a whole is unescaped."""
    if "://" not in raw and "%3a" in raw.lower():
        raw = unquote(raw)
    return _repaired(raw)


def _repaired(destination: str) -> str:
    """Proxies collapse the ``//`` behind the scheme."""
    for scheme in ("https:/", "http:/"):
        if destination.startswith(scheme) and not destination.startswith(f"{scheme}/"):
            return f"{scheme}/{destination[len(scheme) :]}"
    return destination
