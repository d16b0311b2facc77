"""The options that a request carries, in its headers or as query parameters of the same name in lower case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire import texts
from qsops.wire.http import canonical

__all__ = ["OPTION_PREFIX", "Readers", "collect", "is_option", "read", "read_all"]

OPTION_PREFIX: Final = "upstash-"

Reader = Callable[[str], Any]
#: Field and reader by the rest of an option's name.
Readers = Mapping[str, tuple[str, Reader]]


def is_option(parameter: str) -> bool:
    """Whether a raw part of a query, ``name=value``, is an option and not the destination's own."""
    return unquote_plus(parameter.partition("=")[0]).lower().startswith(OPTION_PREFIX)


def collect(headers: Headers, query: str = "") -> dict[str, str]:
    """Options by lower-case name: a header before a parameter, the first before the next, and empty as good as none."""
    found: dict[str, str] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered.startswith(OPTION_PREFIX) and value.strip():
            found.setdefault(lowered, value.strip())
    for part in filter(is_option, query.split("&") if query else ()):
        name, _, value = part.partition("=")
        if text := unquote_plus(value).strip():
            found.setdefault(unquote_plus(name).lower(), text)
    return found


def read_all(options: Mapping[str, str], readers: Readers, prefix: str = OPTION_PREFIX) -> dict[str, Any]:
    """The fields that ``options`` set, of those that ``readers`` name by what follows ``prefix``.

    :raises Rejected: 400 for a value that cannot be read.
    """
    fields: dict[str, Any] = {}
    for name, value in options.items():
        if name.startswith(prefix) and (known := readers.get(name[len(prefix) :])) is not None:
            field, reader = known
            fields[field] = read(name, value, reader)
    return fields


def read(name: str, value: str, reader: Reader) -> Any:
    """What ``reader`` makes of ``value``.

    :raises Rejected: 400 where it can make nothing of it.
    """
    try:
        return reader(value)
    except ValueError as error:
        raise Rejected(400, texts.invalid_header(canonical(name), value, str(error))) from error
