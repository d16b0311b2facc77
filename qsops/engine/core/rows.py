"""Messages as rows of the database, both ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from sqlite3 import Connection
from typing import Any, Final

import msgspec

from qsops.engine.core.traits import TRAIT_COLUMNS, trait_fields, traits_of
from qsops.models import Callback, FlowControl, Headers, Message

__all__ = [
    "MESSAGE_COLUMNS",
    "MESSAGE_TABLES",
    "decode_headers",
    "encode_headers",
    "insert_messages",
    "message_of_row",
    "newest_id",
]

#: What :func:`message_of_row` reads, from ``messages m`` and ``traits t``.
MESSAGE_COLUMNS: Final = f"m.id, m.created_ms, m.not_before_ms, m.options, m.headers, m.body, {TRAIT_COLUMNS}"
#: Where these stand; a query that joins more adds it behind.
MESSAGE_TABLES: Final = "messages m join traits t on t.trait = m.trait"

_INSERT: Final = """
    insert into messages (seq, account, id, trait, created_ms, not_before_ms, options, headers, body)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_LAST: Final = "select coalesce(max(seq), 0) from messages"
_NEWEST: Final = "select max(id) from messages"

_to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def insert_messages(
    connection: Connection, account: int, messages: Sequence[Message]
) -> list[tuple[int, int, Message]]:
    """Keep ``messages``; returns each with its place in the order of acceptance, and the number of its traits."""
    (last,) = connection.execute(_LAST).fetchone()
    traits = traits_of(connection, account, messages)
    numbered = [*zip(count(last + 1), traits, messages, strict=False)]
    connection.executemany(_INSERT, [_row(seq, account, trait, message) for seq, trait, message in numbered])
    return numbered


def newest_id(connection: Connection) -> str | None:
    """The id that sorts last; None where there are no messages."""
    (found,) = connection.execute(_NEWEST).fetchone()
    return None if found is None else str(found)


def message_of_row(row: Sequence[Any]) -> Message:
    """The message of a row of :data:`MESSAGE_COLUMNS`."""
    message_id, created_ms, not_before_ms, options, headers, body, *traits = row
    return Message(
        message_id=message_id,
        created_at_ms=created_ms,
        not_before_ms=not_before_ms,
        headers=decode_headers(headers),
        body=body,
        **trait_fields(traits),
        **_decode_options(options),
    )


@lru_cache(maxsize=1_024)
def encode_headers(headers: Headers) -> str:
    """Headers as JSON text; their order and repetitions stay."""
    return _to_json(headers)


@lru_cache(maxsize=1_024)
def decode_headers(text: str | None) -> Headers:
    """The headers of :func:`encode_headers`; none for null."""
    return tuple((name, value) for name, value in json.loads(text)) if text else ()


def _row(seq: int, account: int, trait: int, message: Message) -> tuple[Any, ...]:
    return (
        *(seq, account, message.message_id, trait, message.created_at_ms, message.not_before_ms),
        *(_options(message), encode_headers(message.headers), message.body),
    )


def _options(message: Message) -> str:
    return _encode_options(
        *(message.method, message.max_retries, message.retry_delay, message.timeout_s, message.flow_control),
        *(message.callback, message.failure_callback, message.redact),
    )


@lru_cache(maxsize=1_024)
def _encode_options(
    method: str,
    max_retries: int,
    retry_delay: str | None,
    timeout_s: int | None,
    flow_control: FlowControl | None,
    callback: Callback | None,
    failure_callback: Callback | None,
    redact: tuple[str, ...],
) -> str:
    options = {
        "method": method,
        "max_retries": max_retries,
        "retry_delay": retry_delay,
        "timeout_s": timeout_s,
        "flow_control": flow_control and msgspec.structs.asdict(flow_control),
        "callback": callback and msgspec.structs.asdict(callback),
        "failure_callback": failure_callback and msgspec.structs.asdict(failure_callback),
        "redact": redact,
    }
    return _to_json({name: value for name, value in options.items() if value not in (None, ())})


@lru_cache(maxsize=1_024)
def _decode_options(text: str) -> dict[str, Any]:
    """Nobody may change what comes back: it is shared."""
    known = json.loads(text)
    return {
        "method": known["method"],
        "max_retries": known["max_retries"],
        "retry_delay": known.get("retry_delay"),
        "timeout_s": known.get("timeout_s"),
        "flow_control": FlowControl(**known["flow_control"]) if known.get("flow_control") else None,
        "callback": _callback(known.get("callback")),
        "failure_callback": _callback(known.get("failure_callback")),
        "redact": tuple(known.get("redact") or ()),
    }


def _callback(known: dict[str, Any] | None) -> Callback | None:
    if not known:
        return None
    headers = tuple((name, value) for name, value in known["headers"])
    return Callback(**{**known, "headers": headers})
