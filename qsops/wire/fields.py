"""The fields of a JSON request: one that is null counts as absent, one of another type is a 400 that names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qsops.errors import Rejected
from qsops.wire import texts
from qsops.wire.values import json_body

__all__ = ["asked_flag", "asked_text", "asked_url", "asked_whole", "body_object", "needed_text"]

_MOST_NUMBER: Final = 2**53


def body_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a request; fields that are not known are passed over.

    :raises Rejected: 400 when it is none.
    """
    fields = json_body(body)
    if not isinstance(fields, Mapping):
        raise Rejected(400, texts.invalid_body("it is an object"))
    return fields


def asked_text(fields: Mapping[str, Any], name: str) -> str | None:
    """A text that is not empty.

    :raises Rejected: 400.
    """
    value = fields.get(name)
    if not isinstance(value, str | None):
        raise Rejected(400, texts.invalid_field(name, value, "it is a text"))
    try:
        # JSON can hold half of a surrogate pair, which neither the database nor the next request can.
        (value or "").encode()
    except UnicodeEncodeError:
        raise Rejected(400, texts.invalid_field(name, ascii(value), "it holds half of a surrogate pair")) from None
    return value or None


def needed_text(fields: Mapping[str, Any], name: str) -> str:
    """A text that must be there.

    :raises Rejected: 400.
    """
    value = asked_text(fields, name)
    if value is None:
        raise Rejected(400, texts.invalid_field(name, fields.get(name), "it is a text that is not empty"))
    return value


def asked_url(fields: Mapping[str, Any], name: str) -> str | None:
    """A URL, with its scheme.

    :raises Rejected: 400.
    """
    value = asked_text(fields, name)
    if value is not None and not value.startswith(("http://", "https://")):
        raise Rejected(400, texts.invalid_field(name, value, "add http:// or https://"))
    return value


def asked_whole(fields: Mapping[str, Any], name: str, *, least: int = 0, most: int = _MOST_NUMBER) -> int | None:
    """A whole number between ``least`` and ``most``.

    :raises Rejected: 400.
    """
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Rejected(400, texts.invalid_field(name, value, f"it is a whole number from {least} to {most}"))
    return value


def asked_flag(fields: Mapping[str, Any], name: str) -> bool | None:
    """True or false.

    :raises Rejected: 400.
    """
    value = fields.get(name)
    if not isinstance(value, bool | None):
        raise Rejected(400, texts.invalid_field(name, value, "it is true or false"))
    return value
