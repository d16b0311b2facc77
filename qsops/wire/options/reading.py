"""The options that a request carries, in its headers or as query parameters of the same name in lower case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_plus

from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire import texts
from qsops.wire.http import canonical

__all__ = [
    "OPTION_PREFIX",
    "Readers",
    "collect",
    "is_option",
    "parameters",
    "read",
    "read_all",
    "says",
    "with_parameters",
]

OPTION_PREFIX: Final = "upstash-"

Reader = Callable[[str], Any]
#: Field and reader by the rest of an option's name.
Readers = Mapping[str, tuple[str, Reader]]


def is_option(parameter: str) -> bool:
    """Whether a raw part of a query, ``name=value``, is an option and not the destination's own."""
    return unquote_plus(parameter.partition("=")[0]).lower().startswith(OPTION_PREFIX)


def says(name: str, value: str) -> bool:
    """An option without a value is none; a header for the destination, or for a callback's, may be empty."""
    lowered = name.lower()
    return bool(value.strip()) or not lowered.startswith(OPTION_PREFIX) or "-forward-" in lowered


# Whoever publishes much has the same parameters on all of it, mostly none.
@lru_cache(maxsize=64)
def parameters(query: str) -> Headers:
    """The options among the parameters of ``query``, as the headers whose place they take."""
    parts = (part.partition("=") for part in query.split("&") if is_option(part))
    return tuple((canonical(unquote_plus(name)), unquote_plus(value)) for name, _, value in parts)


def with_parameters(headers: Headers, query: str) -> Headers:
    """``headers``, and the options among the parameters of ``query`` that no header names."""
    found = parameters(query) if query else ()
    if not found:
        return headers
    named = {name.lower() for name, value in headers if says(name, value)}
    return (*headers, *(pair for pair in found if pair[0].lower() not in named))


def collect(headers: Headers) -> dict[str, str]:
    """Options by lower-case name: the first before the next, and empty as good as none."""
    found: dict[str, str] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered.startswith(OPTION_PREFIX) and value.strip():
            found.setdefault(lowered, value.strip())
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
