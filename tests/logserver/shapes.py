"""Rows as the JSON of a page, in each of the two shapes that the reference knows (section 2.9)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tests.logserver.log import JUNK, Log

__all__ = ["SHAPES", "Shape", "page", "texts"]

Array = npt.NDArray[Any]

_FIELDS: Final = {
    "message_id": "messageId",
    "state": "state",
    "url": "url",
    "url_group": "topicName",
    "endpoint": "endpointName",
    "queue": "queueName",
    "schedule_id": "scheduleId",
    "method": "method",
    "response_status": "responseStatus",
    "error": "error",
    "max_retries": "maxRetries",
    "flow_control_key": "flowControlKey",
}
_TIMES: Final = {"time": "time", "next_delivery_at": "nextDeliveryTime"}
_EVERY_REDACTED: Final = 7
_ANSWERED: Final = ("ERROR", "DELIVERED")


@dataclass(frozen=True, slots=True)
class Shape:
    """One of the two listings: the key of its entries, its largest page, and the names that differ."""

    key: str
    most: int
    expression: str
    caller_ip: str
    answer_headers: str
    one_label: bool


SHAPES: Final = {
    "/v2/events": Shape("events", 1000, "retryDelayExpr", "callerIp", "responseHeader", one_label=True),
    "/v2/logs": Shape("logs", 100, "retryDelayExpression", "callerIP", "responseHeaders", one_label=False),
}


def page(log: Log, rows: Array, shape: Shape, cursor: str | None, *, bodies: bool) -> bytes:
    """The answer that holds ``rows`` in their order; without a cursor it is the last."""
    entries: list[Any] = _entries(log, rows, shape, bodies=bodies)
    for place in np.flatnonzero(log.junk[rows] >= 0):
        entries[place] = msgspec.Raw(JUNK[log.junk[rows[place]]])
    return msgspec.json.encode({shape.key: entries, **({} if cursor is None else {"cursor": cursor})})


def texts(number: int, state: str) -> dict[str, str]:
    """Headers, body and the headers and body of the answer, as an archive with bodies has them of an entry.

    Every seventh message was published with its body redacted.
    """
    body = msgspec.json.encode({"order": number}).decode()
    if number % _EVERY_REDACTED == 0:
        body = "REDACTED:" + hashlib.sha256(body.encode()).hexdigest()
    found = {"headers": f"Content-Type: application/json\nOrder: {number}", "body": body}
    if state in _ANSWERED:
        found |= {"response_headers": "Server: one", "response_body": f"answer to order {number}"}
    return found


def _entries(log: Log, rows: Array, shape: Shape, *, bodies: bool) -> list[dict[str, Any]]:
    table = log.table.take(pa.array(rows))
    named = [(name, table[column].to_pylist()) for column, name in _FIELDS.items()]
    named += [(name, _ms(table[column])) for column, name in _TIMES.items()]
    named.append((shape.expression, table["retry_delay_expression"].to_pylist()))
    named.append((shape.caller_ip, table["caller_ip"].to_pylist()))
    labels = table["labels"].to_pylist()
    if shape.one_label:
        named.append(("label", labels))
    else:
        named.append(("labels", [label and label.split(",") for label in labels]))
    names = [name for name, _ in named]
    entries = [
        {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for values in zip(*(values for _, values in named), strict=True)
    ]
    if bodies:
        for entry, number in zip(entries, log.message[rows].tolist(), strict=True):
            entry |= _texts(number, entry["state"], shape)
    return entries


def _texts(number: int, state: str, shape: Shape) -> dict[str, Any]:
    found = texts(number, state)
    fields: dict[str, Any] = {"header": _map(found["headers"]), "body": _encoded(found["body"])}
    if "response_body" in found:
        fields[shape.answer_headers] = _map(found["response_headers"])
        fields["responseBody"] = _encoded(found["response_body"])
    return fields


def _map(lines: str) -> dict[str, list[str]]:
    return {name: [value] for name, _, value in (line.partition(": ") for line in lines.splitlines())}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _ms(column: pa.ChunkedArray) -> list[int | None]:
    return [None if us is None else us // 1000 for us in column.cast(pa.int64()).to_pylist()]
