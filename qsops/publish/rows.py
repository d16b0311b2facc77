"""How one row becomes a message.

In a row the columns named as arguments of ``publish`` are those arguments. The rest, the key among them, is the JSON
body, unless the row has a column ``json`` or ``body``: then nothing but the key may be left over, so that a misspelt
option is never sent as if it were none.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from qsops.errors import SettingsError
from qsops.models import Publish
from qsops.publish.arguments import OPTIONS, message
from qsops.publish.checks import content, destination
from qsops.publish.sources import Row

__all__ = ["Key", "Keyed", "keyed"]

#: The name of a column, or what makes a row's key of the row.
Key = str | Callable[[Row], str]

_OPTIONS: Final = frozenset(OPTIONS)
_BODIES: Final = frozenset({"json", "body"})
_DESTINATIONS: Final = frozenset({"url", "group"})
_SPECIAL: Final = _OPTIONS | _BODIES


@dataclass(frozen=True, slots=True)
class Keyed:
    """One row ready to go: its key, and its message or why there is none."""

    key: str
    message: Publish | None
    error: str | None = None


def keyed(rows: Iterable[Row], key: Key, fixed: Mapping[str, Any], scope: str) -> Iterator[Keyed]:
    """Each row with its key and message; ``fixed`` are publish's arguments for every row, a row's own come first.

    A row that makes no message is one with an error. A missing, empty or repeated key is one too: within ``scope`` it
    names a message once, and makes its deduplication id, unless the row has its own.

    :raises SettingsError: ``fixed`` itself is malformed, or the first row has no column ``key`` at all: the fault is
        then in the call, and not in each row.
    """
    if fixed.get("deduplication_id") is not None:
        raise SettingsError(
            "deduplication_id: one for all rows would make them one message; the key makes one for each"
        )
    one_destination = bool(fixed.get("url") or fixed.get("group"))
    # Where every row names its own destination, the other arguments are checked against any.
    base = message(**fixed if one_destination else {**fixed, "url": "https://each.row"})
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        if number == 1 and isinstance(key, str) and key not in row:
            raise SettingsError(f"key: the rows have no column {key!r}; the first has {', '.join(map(str, row))}")
        name = _key_of(row, key)
        if name is None or name in seen:
            why = f"has no key: {key!r} is empty or missing" if name is None else f"repeats the key {name!r}"
            yield Keyed(name or "", None, f"row {number} {why}")
            continue
        seen.add(name)
        made_id = _deduplication_id(scope, name)
        try:
            yield Keyed(name, _message(row, key, fixed, base, made_id))
        except SettingsError as error:
            yield Keyed(name, None, str(error))


def _key_of(row: Row, key: Key) -> str | None:
    value = key(row) if callable(key) else row.get(key)
    # A key is written to files and hashed: half of a surrogate pair, which JSON can hold, is spelled out.
    text = "" if _is_nothing(value) else str(value).encode(errors="backslashreplace").decode()
    return text if text.strip() else None


def _deduplication_id(scope: str, name: str) -> str:
    return "qsops-" + hashlib.sha256("\0".join((scope, name)).encode()).hexdigest()[:40]


def _message(row: Row, key: Key, fixed: Mapping[str, Any], base: Publish, made_id: str) -> Publish:
    given = _body(row, key)
    options = {name: value for name, value in row.items() if name in _OPTIONS and not _is_nothing(value)}
    if not _DESTINATIONS.isdisjoint(options):
        fixed = {name: value for name, value in fixed.items() if name not in _DESTINATIONS}
    if _DESTINATIONS.issuperset(options):
        where = {name: options.get(name, fixed.get(name)) for name in _DESTINATIONS}
        return _filled(base, destination(**where), given, made_id)
    arguments = {**fixed, **_typed(options), **given}
    if not arguments.get("content_based_deduplication"):
        arguments.setdefault("deduplication_id", made_id)
    return message(**arguments)


def _body(row: Row, key: Key) -> dict[str, Any]:
    """The argument json or body that the row makes."""
    if _BODIES.isdisjoint(row):
        return {"json": {name: _or_null(value) for name, value in row.items() if name not in _OPTIONS}}
    unknown = [name for name in row if name not in _SPECIAL and name != key]
    if unknown:
        raise SettingsError(f"column {unknown[0]!r} is no argument of publish, and the row has a body of its own")
    return {name: row[name] for name in _BODIES if name in row and not _is_nothing(row[name])}


def _filled(base: Publish, where: str, given: Mapping[str, Any], made_id: str) -> Publish:
    """The common case: all but destination and body is shared, was checked once, and is only filled in."""
    body, headers = content(given.get("json", ...), given.get("body"), base.headers)
    key = None if base.content_based_deduplication else made_id
    return msgspec.structs.replace(base, destination=where, body=body, headers=headers, deduplication_id=key)


def _typed(options: dict[str, Any]) -> dict[str, Any]:
    """Files of text hold numbers and structures as text; frames hold whole numbers as floats, or numpy's own."""
    typed = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in options.items()}
    for name in ("retries", "not_before"):
        value = typed.get(name)
        if (isinstance(value, str) and value.strip().isdigit()) or (isinstance(value, float) and value.is_integer()):
            typed[name] = int(value)
    for name in ("headers", "flow_control"):
        if isinstance(typed.get(name), str):
            typed[name] = _structure(name, typed[name])
    if isinstance(typed.get("content_based_deduplication"), str):
        typed["content_based_deduplication"] = typed["content_based_deduplication"].strip().lower() == "true"
    return typed


def _structure(name: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {text!r} is no JSON object: {error}") from error
    if not isinstance(value, dict):
        raise SettingsError(f"{name}: {text!r} is no JSON object")
    return value


def _is_nothing(value: Any) -> bool:
    """None, NaN, NaT and pandas' NA: a cell without a value. A container never is."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NaTType", "NAType")


def _or_null(value: Any) -> Any:
    if type(value) is str:  # Most cells are, and a row has many.
        return value
    return None if _is_nothing(value) else value
