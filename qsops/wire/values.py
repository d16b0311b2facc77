"""JSON values as QStash spells them: header maps, bodies as text or base64, numbers that may come quoted."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from qsops.errors import Corrupt, Rejected
from qsops.models import FlowControl, Headers
from qsops.wire import texts
from qsops.wire.http import Response

__all__ = [
    "body_fields",
    "body_of",
    "cursor_of",
    "flow_control_fields",
    "flow_control_of",
    "header_map",
    "headers_of",
    "json_answer",
    "json_body",
    "listed",
    "number",
    "present",
    "text",
    "texts_of",
    "to_base64",
    "unbase64",
]


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` without those that are not set: QStash leaves them out rather than sending null."""
    # Asked in this order because most fields are not set, and most of the others are not empty.
    return {
        name: value
        for name, value in fields.items()
        if value is not None and (value or type(value) not in (tuple, dict))
    }


def header_map(headers: Headers) -> dict[str, list[str]]:
    """Headers as a map of name to values, in order."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def headers_of(value: Any) -> Headers:
    """Headers of a map whose values are lists or single strings; anything else counts as none."""
    if not isinstance(value, Mapping):
        return ()
    return tuple(
        (str(name), str(one))
        for name, many in value.items()
        for one in (many if isinstance(many, list) else [many])
        if one is not None
    )


def body_fields(body: bytes, name: str = "body") -> dict[str, str]:
    """``body`` under ``name`` if it is UTF-8, else as base64 under ``<name>Base64``; nothing when empty."""
    if not body:
        return {}
    try:
        return {name: body.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": to_base64(body)}


def body_of(fields: Mapping[str, Any], name: str = "body") -> bytes:
    """The opposite of :func:`body_fields`."""
    encoded = fields.get(f"{name}Base64")
    if isinstance(encoded, str):
        return unbase64(encoded)
    plain = fields.get(name)
    return _bytes(plain) if isinstance(plain, str) else b""


def to_base64(body: bytes) -> str:
    """``body`` as base64 text."""
    return base64.b64encode(body).decode()


def unbase64(value: Any) -> bytes:
    """The bytes behind base64 text, padded or not; text that is none (a redacted body) is given as it stands."""
    if not isinstance(value, str):
        return b""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return _bytes(value)


def _bytes(value: str) -> bytes:
    """JSON can hold half of a surrogate pair, which UTF-8 cannot: it is better kept than refused."""
    return value.encode(errors="surrogatepass")


def number(value: Any) -> int | None:
    """A whole number, also where it came as text or with a fraction of zero; None for anything else."""
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str):
        return int(value) if value.removeprefix("-").isdecimal() and len(value) <= 20 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: Any) -> str | None:
    """A string, or None for anything else and for the empty one."""
    return value if isinstance(value, str) and value else None


def texts_of(value: Any) -> tuple[str, ...]:
    """A list of strings, or a single one."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def cursor_of(fields: Mapping[str, Any]) -> str | None:
    """The cursor of a page; at the end it is absent, and in one answer empty. It may come as a number past 2^53."""
    cursor = fields.get("cursor")
    return str(cursor) if isinstance(cursor, str | int) and cursor != "" else None


def flow_control_fields(flow: FlowControl | None) -> dict[str, Any]:
    """The key and its limits; those that were not given are absent, the period always there."""
    if flow is None:
        return {}
    limits = present({"parallelism": flow.parallelism, "rate": flow.rate})
    return {"flowControlKey": flow.key, **limits, "period": flow.period_s}


def flow_control_of(fields: Mapping[str, Any]) -> FlowControl | None:
    """The opposite of :func:`flow_control_fields`; a limit of 0 is none."""
    key = text(fields.get("flowControlKey"))
    if key is None:
        return None
    parallelism, rate = number(fields.get("parallelism")), number(fields.get("rate"))
    return FlowControl(key, parallelism or None, rate or None, number(fields.get("period")) or 1)


def json_body(body: bytes) -> Any:
    """The JSON of a request.

    :raises Rejected: 400 when it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(400, texts.invalid_body("it is not JSON")) from error


def listed(response: Response, what: str) -> list[Any]:
    """The JSON array of an answer; a server written in Go says null for one that has nothing in it.

    :raises Corrupt: when it is no array.
    """
    answer = json_answer(response)
    if not isinstance(answer, list | None):
        raise Corrupt(f"QStash answered a listing of {what} with no list: {str(answer)[:80]!r}")
    return answer or []


def json_answer(response: Response, loads: Callable[[bytes], Any] = json.loads) -> Any:
    """The JSON of an answer, read by ``loads``.

    :raises Corrupt: when it is none, with its beginning.
    """
    try:
        return loads(response.body)
    except (ValueError, RecursionError) as error:
        beginning = response.body[:80].decode(errors="replace")
        raise Corrupt(f"QStash answered {response.status} with a body that is not JSON: {beginning!r}") from error
