"""The items of a batch: one request's body that holds many messages, each with its destination, headers and body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeVar

from qsops.errors import Rejected
from qsops.models import Headers, ItemError
from qsops.wire import texts
from qsops.wire.destinations import repaired
from qsops.wire.http import Request
from qsops.wire.values import json_body, text

__all__ = ["BATCH_ITEMS_LIMIT", "Item", "parse_items"]

#: A hundred times what is worth its while in one request.
BATCH_ITEMS_LIMIT: Final = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a batch, before its options are read; ``queue`` is empty where none is named."""

    destination: str
    headers: Headers
    body: bytes
    queue: str


def parse_items(request: Request, read: Callable[[Item], T]) -> list[T | ItemError]:
    """What ``read`` makes of each item, in order; one that does not parse is an :class:`ItemError`, the others stand.

    :raises Rejected: 400 when the body is no array; 413 when it has over BATCH_ITEMS_LIMIT items.
    """
    items = json_body(request.body)
    if not isinstance(items, list):
        raise Rejected(400, texts.invalid_body("a batch is an array of messages"))
    if len(items) > BATCH_ITEMS_LIMIT:
        raise Rejected(413, texts.batch_too_long(len(items), BATCH_ITEMS_LIMIT))
    return [_read(item, read) for item in items]


def _read(value: Any, read: Callable[[Item], T]) -> T | ItemError:
    try:
        return read(_item(value))
    except Rejected as error:
        return ItemError(error.text)


def _item(value: Any) -> Item:
    # What JSON makes is a dict; to ask for a Mapping takes longer than all the rest.
    if not isinstance(value, dict):
        raise Rejected(400, texts.invalid_field("message", value, "one of a batch is an object with a destination"))
    if not text(value.get("destination")):
        raise Rejected(400, texts.invalid_field("destination", value.get("destination"), "it is a URL or a group"))
    body, queue = _text_or_null(value, "body"), _text_or_null(value, "queue")
    destination, headers = value["destination"], _headers(value.get("headers"))
    try:
        # JSON can hold half of a surrogate pair, which neither the database nor the next request can.
        "".join((destination, *chain.from_iterable(headers))).encode()
        return Item(repaired(destination), headers, body.encode(), queue)
    except UnicodeEncodeError:
        raise Rejected(400, texts.invalid_body("a batch's message holds half of a surrogate pair")) from None


def _text_or_null(item: dict[str, Any], name: str) -> str:
    """The Python SDK sends null for the body and queue that were not given (reference, section 0.10)."""
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise Rejected(400, texts.invalid_body(f"the {name} of a batch's message is a string"))
    return value or ""


def _headers(value: Any) -> Headers:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise Rejected(400, texts.invalid_body("the headers of a batch's message are an object"))
    if all(type(one) is str for one in value.values()):
        return tuple(value.items())
    pairs = [(name, one) for name, many in value.items() for one in (many if isinstance(many, list) else [many])]
    if not all(isinstance(one, str | int) for _, one in pairs if one is not None):
        raise Rejected(400, texts.invalid_body("the headers of a batch's message have strings as values"))
    return tuple((name, str(one)) for name, one in pairs if one is not None)
