"""Dead letters as JSON, and the calls that list, read, delete and retry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote_plus

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import DeadLetter, DlqFilter, Headers, Page, Receipt
from qsops.wire import texts
from qsops.wire.http import Request, Response, path_id
from qsops.wire.messages import message_json, parse_message
from qsops.wire.options import is_known, is_option, parameters, says, with_parameters
from qsops.wire.query import EARLIEST_FIRST, ORDERS, Parameters, Values, encode_query, refuse_parameters
from qsops.wire.values import (
    body_fields,
    body_of,
    cursor_of,
    header_map,
    headers_of,
    json_answer,
    number,
    present,
    text,
)

__all__ = [
    "DLQ_LIMIT",
    "DLQ_PARAMETERS",
    "DLQ_PATH",
    "dead_letter_json",
    "deleted_json",
    "dlq_bulk_delete_request",
    "dlq_bulk_retry_request",
    "dlq_delete_request",
    "dlq_get_request",
    "dlq_json",
    "dlq_request",
    "dlq_retry_request",
    "listed_dlq",
    "parse_bulk_retried",
    "parse_dead_letter",
    "parse_dead_letter_response",
    "parse_deleted",
    "parse_dlq",
    "parse_dlq_bulk_request",
    "parse_dlq_bulk_retry",
    "parse_dlq_request",
    "parse_dlq_retry",
    "parse_retried",
    "retried_json",
]

DLQ_PATH: Final = "/v2/dlq"
#: How many dead letters a page or a bulk call takes at the most.
DLQ_LIMIT: Final = 100

_FILTERS: Final = {
    "dlq_ids": "dlqIds",
    "message_ids": "messageId",
    "urls": "url",
    "url_groups": "topicName",
    "queues": "queueName",
    "schedule_ids": "scheduleId",
    "labels": "label",
    "flow_control_keys": "flowControlKey",
}
DLQ_PARAMETERS: Final = (
    *_FILTERS.values(),
    *("callerIp", "callerIP", "responseStatus", "fromDate", "toDate", "order", "count", "cursor"),
)
#: Where it only reads, the service still takes a filter of the past and ignores it. The other is how much of the bodies
#: to show (see :func:`qsops.wire.trimming.parse_trim`), which the vendor's MCP server sends here, too.
_READ_ONLY: Final = ("api", "trimBody")


def dead_letter_json(letter: DeadLetter) -> dict[str, Any]:
    """A message with what decided its fate; ``responseStatus`` is always there, 0 without an answer."""
    fields = {
        "dlqId": letter.dlq_id,
        "responseHeader": header_map(letter.response_headers),
        **body_fields(letter.response_body, "responseBody"),
    }
    return {**message_json(letter.message), **present(fields), "responseStatus": letter.response_status}


def parse_dead_letter(fields: Any) -> DeadLetter:
    """A dead letter of its JSON. Asked for by its id, it may come without it.

    :raises Corrupt: when it is none.
    """
    message = parse_message(fields)
    return DeadLetter(
        dlq_id=text(fields.get("dlqId")) or "",
        message=message,
        response_status=number(fields.get("responseStatus")) or 0,
        response_headers=headers_of(fields.get("responseHeader")) or headers_of(fields.get("responseHeaders")),
        response_body=body_of(fields, "responseBody"),
    )


def parse_dead_letter_response(response: Response, dlq_id: str) -> DeadLetter:
    """The dead letter of an answer, under the id that was asked for.

    :raises Corrupt: when it is none.
    """
    letter = parse_dead_letter(json_answer(response))
    return letter if letter.dlq_id else replace(letter, dlq_id=dlq_id)


def dlq_json(page: Page[DeadLetter]) -> dict[str, Any]:
    """A page of dead letters; the cursor is absent at the end."""
    return {"messages": [dead_letter_json(letter) for letter in page.items], **present({"cursor": page.cursor})}


def parse_dlq(response: Response) -> Page[DeadLetter]:
    """A page of dead letters. :raises Corrupt: when it is none, or one of them is none."""
    letters, cursor = listed_dlq(response)
    return Page(tuple(map(parse_dead_letter, letters)), cursor)


def listed_dlq(response: Response) -> tuple[list[Any], str | None]:
    """The dead letters of a page as their JSON says them, and its cursor. :raises Corrupt: when it is no page."""
    answer = json_answer(response)
    if not isinstance(answer, Mapping) or "messages" not in answer:
        raise Corrupt("QStash answered a listing of the DLQ without 'messages'")
    # A server written in Go says null for a list that has nothing in it.
    letters = answer["messages"]
    if not isinstance(letters, list | None):
        raise Corrupt("QStash answered a listing of the DLQ with no list in it")
    return letters or [], cursor_of(answer)


def dlq_request(wanted: DlqFilter, cursor: str | None = None, count: int | None = None) -> Request:
    """One page of the DLQ."""
    return Request("GET", DLQ_PATH, _query(wanted, cursor, count))


def dlq_get_request(dlq_id: str) -> Request:
    """Read one dead letter."""
    return Request("GET", f"{DLQ_PATH}/{path_id(dlq_id)}")


def dlq_delete_request(dlq_id: str) -> Request:
    """Delete one dead letter."""
    return Request("DELETE", f"{DLQ_PATH}/{path_id(dlq_id)}")


def dlq_retry_request(dlq_id: str, overrides: Headers = ()) -> Request:
    """Publish one dead letter anew; option headers in ``overrides`` take the place of the stored ones."""
    return Request("POST", f"{DLQ_PATH}/retry/{path_id(dlq_id)}", headers=overrides)


def dlq_bulk_delete_request(wanted: DlqFilter, cursor: str | None = None, count: int | None = None) -> Request:
    """Delete what ``wanted`` selects, a page at a time.

    :raises SettingsError: for a filter that selects everything; who means that says so with ``DlqFilter(from_ms=0)``.
    """
    return Request("DELETE", DLQ_PATH, _bulk_query(wanted, cursor, count))


def dlq_bulk_retry_request(
    wanted: DlqFilter, cursor: str | None = None, count: int | None = None, overrides: Headers = ()
) -> Request:
    """Publish anew what ``wanted`` selects, a page at a time.

    :raises SettingsError: for a filter that selects everything; who means that says so with ``DlqFilter(from_ms=0)``.
    """
    return Request("POST", f"{DLQ_PATH}/retry", _bulk_query(wanted, cursor, count), overrides)


def parse_dlq_request(request: Request) -> tuple[DlqFilter, str | None, int | None]:
    """Filter, cursor and count of a listing.

    :raises Rejected: 400 for an unknown parameter, or a value that does not parse.
    """
    asked = Parameters(request.query)
    asked.allow_only((*DLQ_PARAMETERS, *_READ_ONLY))
    return _wanted(asked)


def parse_dlq_bulk_request(request: Request) -> tuple[DlqFilter, str | None, int | None]:
    """Filter, cursor and count of a bulk call, which may carry its ids as a JSON body.

    :raises Rejected: 400 for a parameter that is unknown, empty or does not parse; nothing is touched then.
    """
    return _wanted(Parameters.of_bulk(request, DLQ_PARAMETERS, "dlqIds"))


def parse_dlq_retry(request: Request) -> Headers:
    """The option headers, or parameters in their place, that a retry of one dead letter names.

    :raises Rejected: 400 for a parameter that is no option of a message, or is empty; nothing is touched then.
    """
    rest, overrides = _parted(request)
    refuse_parameters(rest)
    return overrides


def parse_dlq_bulk_retry(request: Request) -> tuple[tuple[DlqFilter, str | None, int | None], Headers]:
    """What a bulk retry takes, as :func:`parse_dlq_bulk_request` reads it, and its options.

    :raises Rejected: 400, as there.
    """
    rest, overrides = _parted(request)
    return parse_dlq_bulk_request(rest), overrides


def _parted(request: Request) -> tuple[Request, Headers]:
    """``request`` without the options among its parameters, and its headers with them.

    What only looks like an option stays among the parameters: a typo must not be passed over.
    """
    parts = request.query.split("&") if request.query else []
    options = [part for part in parts if is_option(part) and is_known(unquote_plus(part.partition("=")[0]))]
    for name, value in parameters("&".join(options)):
        if not says(name, value):
            raise Rejected(400, texts.invalid_parameter(name.lower(), value, "it has no value"))
    query = "&".join(part for part in parts if part not in options)
    return replace(request, query=query), with_parameters(request.headers, "&".join(options))


def _wanted(asked: Parameters) -> tuple[DlqFilter, str | None, int | None]:
    wanted = DlqFilter(
        **asked.filters(_FILTERS),
        response_statuses=asked.numbers("responseStatus"),
        earliest_first=asked.choice("order", ORDERS) == EARLIEST_FIRST,
    )
    return wanted, asked.text("cursor"), asked.number("count", least=1, most=DLQ_LIMIT)


def deleted_json(deleted: int, cursor: str | None) -> dict[str, Any]:
    """The answer of a bulk delete; the cursor is absent at the end."""
    return present({"deleted": deleted, "cursor": cursor})


def parse_deleted(response: Response) -> tuple[int, str | None]:
    """How many dead letters a bulk delete took, and the cursor to go on with.

    :raises Corrupt: when the answer does not say.
    """
    answer = json_answer(response)
    deleted = number(answer.get("deleted")) if isinstance(answer, Mapping) else None
    if deleted is None:
        raise Corrupt("QStash answered a bulk delete of the DLQ without 'deleted'")
    return deleted, cursor_of(answer)


def retried_json(receipts: Sequence[Receipt], cursor: str | None) -> dict[str, Any]:
    """The answer of a bulk retry; alone among the listings it has an empty cursor at the end."""
    return {"responses": [{"messageId": receipt.message_id} for receipt in receipts], "cursor": cursor or ""}


def parse_retried(response: Response) -> Receipt:
    """The new message of a retry.

    :raises Corrupt: without a messageId.
    """
    return _parse_receipt(json_answer(response))


def parse_bulk_retried(response: Response) -> tuple[tuple[Receipt, ...], str | None]:
    """The new messages of a bulk retry, and the cursor to go on with.

    :raises Corrupt: without a messageId.
    """
    answer = json_answer(response)
    items = answer.get("responses") if isinstance(answer, Mapping) else None
    if not isinstance(items, list):
        raise Corrupt("QStash answered a bulk retry of the DLQ without 'responses'")
    return tuple(_parse_receipt(item) for item in items), cursor_of(answer)


def _parse_receipt(item: Any) -> Receipt:
    message_id = text(item.get("messageId")) if isinstance(item, Mapping) else None
    if message_id is None:
        raise Corrupt("QStash answered a retry of the DLQ without a messageId")
    return Receipt(message_id)


def _query(wanted: DlqFilter, cursor: str | None, count: int | None) -> str:
    named = [(name, getattr(wanted, field)) for field, name in _FILTERS.items()]
    rest: list[tuple[str, Values]] = [
        ("callerIp", wanted.caller_ips),
        ("responseStatus", wanted.response_statuses),
        ("fromDate", wanted.from_ms),
        ("toDate", wanted.to_ms),
        ("order", EARLIEST_FIRST if wanted.earliest_first else None),
        ("count", count),
        ("cursor", cursor),
    ]
    return encode_query([*named, *rest])


def _bulk_query(wanted: DlqFilter, cursor: str | None, count: int | None) -> str:
    if replace(wanted, earliest_first=False) == DlqFilter():
        raise SettingsError("a bulk call without a filter would take the whole DLQ: name what to take")
    return _query(wanted, cursor, count)
