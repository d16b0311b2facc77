"""Messages as rows of the database, both ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from sqlite3 import Connection
from typing import Any
from urllib.parse import urlsplit

from qsops.models import Callback, FlowControl, Headers, Message

__all__ = ["MESSAGE_COLUMNS", "decode_headers", "encode_headers", "insert_message", "message_of_row"]

_NAMES = (
    *("id", "created_ms", "not_before_ms", "url", "method", "max_retries", "retry_delay", "timeout_s", "caller_ip"),
    *("url_group", "endpoint", "queue", "schedule_id", "labels", "flow_control", "callback", "failure_callback"),
    *("redact", "headers", "body"),
)
_FOR_LOOK_UP = ("account", "host", "path", "flow_control_key")

#: What :func:`message_of_row` reads, from ``messages m``.
MESSAGE_COLUMNS = ", ".join(f"m.{name}" for name in _NAMES)

_INSERT = "insert into messages ({}) values ({})".format(
    ", ".join((*_NAMES, *_FOR_LOOK_UP)), ", ".join(f":{name}" for name in (*_NAMES, *_FOR_LOOK_UP))
)


def insert_message(connection: Connection, account: int, message: Message) -> int:
    """Keep ``message``; returns its place in the order of acceptance."""
    place = urlsplit(message.url)
    row = {
        "account": account,
        "id": message.message_id,
        "created_ms": message.created_at_ms,
        "not_before_ms": message.not_before_ms,
        "url": message.url,
        "host": place.netloc.rpartition("@")[2],
        "path": place.path,
        "method": message.method,
        "max_retries": message.max_retries,
        "retry_delay": message.retry_delay,
        "timeout_s": message.timeout_s,
        "caller_ip": message.caller_ip,
        "url_group": message.url_group,
        "endpoint": message.endpoint,
        "queue": message.queue,
        "schedule_id": message.schedule_id,
        "labels": _json(message.labels),
        "flow_control_key": message.flow_control.key if message.flow_control else None,
        "flow_control": _json(message.flow_control and asdict(message.flow_control)),
        "callback": _json(message.callback and asdict(message.callback)),
        "failure_callback": _json(message.failure_callback and asdict(message.failure_callback)),
        "redact": _json(message.redact),
        "headers": encode_headers(message.headers),
        "body": message.body,
    }
    seq = connection.execute(_INSERT, row).lastrowid
    assert seq is not None
    return seq


def message_of_row(row: Sequence[Any]) -> Message:
    """The message of a row of :data:`MESSAGE_COLUMNS`."""
    known = dict(zip(_NAMES, row, strict=True))
    return Message(
        message_id=known["id"],
        created_at_ms=known["created_ms"],
        not_before_ms=known["not_before_ms"],
        url=known["url"],
        method=known["method"],
        max_retries=known["max_retries"],
        retry_delay=known["retry_delay"],
        timeout_s=known["timeout_s"],
        caller_ip=known["caller_ip"],
        url_group=known["url_group"],
        endpoint=known["endpoint"],
        queue=known["queue"],
        schedule_id=known["schedule_id"],
        labels=_texts(known["labels"]),
        flow_control=FlowControl(**json.loads(known["flow_control"])) if known["flow_control"] else None,
        callback=_callback(known["callback"]),
        failure_callback=_callback(known["failure_callback"]),
        redact=_texts(known["redact"]),
        headers=decode_headers(known["headers"]),
        body=known["body"],
    )


def encode_headers(headers: Headers) -> str:
    """Headers as JSON text; their order and repetitions stay."""
    return json.dumps(headers, ensure_ascii=False, separators=(",", ":"))


def decode_headers(text: str | None) -> Headers:
    """The headers of :func:`encode_headers`; none for null."""
    return tuple((name, value) for name, value in json.loads(text)) if text else ()


def _json(value: Any) -> str | None:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else None


def _texts(text: str | None) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text else ()


def _callback(text: str | None) -> Callback | None:
    if not text:
        return None
    known = json.loads(text)
    known["headers"] = tuple((name, value) for name, value in known["headers"])
    return Callback(**known)
