"""Query strings of listings and bulk calls: filters whose values may be repeated or comma-separated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from qsops.errors import Rejected
from qsops.wire import texts
from qsops.wire.http import Request

__all__ = [
    "EARLIEST_FIRST",
    "MOST_NUMBER",
    "ORDERS",
    "TOKEN",
    "Parameters",
    "Values",
    "encode_query",
    "refuse_parameters",
]

ORDERS: Final = ("earliestFirst", "latestFirst")
EARLIEST_FIRST: Final = ORDERS[0]
TOKEN: Final = "qstash_token"

MOST_NUMBER: Final = 2**53
_MOST_VALUES: Final = 10_000

# A comma parts values. One that a URL or path may hold itself only does so before what looks like the next of them,
# and a flow-control key is any text, so there it never does.
_COMMA: Final = re.compile(",")
_SEPARATORS: Final = {
    "url": re.compile(r",(?=https?://)"),
    "path": re.compile(r",(?=/)"),
    "flowControlKey": re.compile(r"(?!)"),
}

Values = Sequence[str] | Sequence[int] | str | int | None


def encode_query(named: Iterable[tuple[str, Values]]) -> str:
    """A query string; a parameter without a value is left out, one with several is repeated."""
    pairs: list[tuple[str, str]] = []
    for name, values in named:
        many = [] if values is None else [values] if isinstance(values, str | int) else values
        pairs += [(name, str(value)) for value in many]
    return urlencode(pairs, quote_via=quote)


class Parameters:
    """The parameters of a request, read by name; an empty value is as good as none.

    :raises Rejected: 400 from each reader, naming the parameter and its value.
    """

    def __init__(self, query: str, more: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in (*_pairs(query), *more):
            if name != TOKEN:
                self._values.setdefault(name, []).append(value.strip())

    @classmethod
    def of_bulk(cls, request: Request, names: Iterable[str], ids: str) -> Parameters:
        """The parameters of a call that changes all that it names, with the ``ids`` of its JSON body, if it has one.

        Where nothing is named, that is everything. So nothing may be passed over: neither a name that is not among
        ``names``, nor an empty value, nor an empty list of ids.

        :raises Rejected: 400.
        """
        found = cls(request.query, _ids_of_body(request.body, ids))
        found.allow_only(names)
        for name, values in found._values.items():
            # At its end a bulk retry answers an empty cursor, and a loop may pass that on as it came.
            if name != "cursor" and not all(value.strip(", ") for value in values):
                raise Rejected(400, texts.invalid_parameter(name, "", "it has no value"))
        return found

    def texts(self, *names: str) -> tuple[str, ...]:
        """All values under any of ``names``, repeated or comma-separated."""
        parts = (
            part.strip()
            for name in names
            for value in self._values.get(name, ())
            for part in _SEPARATORS.get(name, _COMMA).split(value)
        )
        return tuple(part for part in parts if part)

    def text(self, name: str) -> str | None:
        """The first value, None when absent or empty."""
        return next((value for value in self._values.get(name, ()) if value), None)

    def number(self, name: str, *, least: int = 0, most: int = MOST_NUMBER) -> int | None:
        """A whole number between ``least`` and ``most``."""
        value = self.text(name)
        return None if value is None else _number(name, value, least, most)

    def numbers(self, name: str) -> tuple[int, ...]:
        """Whole numbers, repeated or comma-separated."""
        return tuple(_number(name, value, 0, MOST_NUMBER) for value in self.texts(name))

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """One of ``choices``."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise Rejected(400, texts.invalid_parameter(name, value, f"it is one of {', '.join(choices)}"))
        return value

    def flag(self, name: str) -> bool:
        """True or false, which is what an absent one is."""
        return (self.choice(name, ("true", "false")) or "false") == "true"

    def filters(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """The fields of a filter, by the names of their parameters; dates and the caller's address are in each."""
        return {
            **{field: self.texts(name) for field, name in fields.items()},
            # The SDKs' types and the documents differ in the last letter (reference, section 2.4).
            "caller_ips": self.texts("callerIp", "callerIP"),
            "from_ms": self.number("fromDate"),
            "to_ms": self.number("toDate"),
        }

    def allow_only(self, names: Iterable[str]) -> None:
        """Refuse parameters that are not in ``names``, so that a typo selects nothing rather than everything."""
        known = set(names)
        for name in self._values:
            if name not in known:
                raise Rejected(400, texts.unknown_parameter(name))


def refuse_parameters(request: Request) -> None:
    """Refuse all parameters but the token.

    :raises Rejected: 400.
    """
    Parameters(request.query).allow_only(())


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_VALUES)
    except ValueError as error:
        raise Rejected(400, f"invalid query: it has over {_MOST_VALUES} parameters") from error


def _ids_of_body(body: bytes, name: str) -> list[tuple[str, str]]:
    """The Python SDK sends ids as a JSON body of a DELETE (reference, section 0.6)."""
    if not body.strip():
        return []
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    ids = value.get(name) if isinstance(value, dict) and value.keys() == {name} else None
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) and one.strip() for one in ids):
        raise Rejected(400, texts.invalid_body(f"it is an object with {name} alone, a list of ids that is not empty"))
    return [(name, one) for one in ids]


def _number(name: str, value: str, least: int, most: int) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 18 or not least <= int(value) <= most:
        raise Rejected(400, texts.invalid_parameter(name, value, f"it is a whole number from {least} to {most}"))
    return int(value)
