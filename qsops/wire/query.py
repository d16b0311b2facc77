"""Query strings of listings and bulk calls: filters whose values may be repeated or comma-separated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, quote, urlencode

from qsops.errors import Rejected
from qsops.wire import texts

__all__ = ["Parameters", "encode_query"]

Values = Sequence[str | int] | str | int | None


def encode_query(named: Iterable[tuple[str, Values]]) -> str:
    """A query string; a parameter without a value is left out, one with several is repeated."""
    pairs: list[tuple[str, str]] = []
    for name, values in named:
        many = [] if values is None else [values] if isinstance(values, str | int) else values
        pairs += [(name, str(value)) for value in many]
    return urlencode(pairs, quote_via=quote)


class Parameters:
    """The parameters of a request, read by name.

    :raises Rejected: 400 from each reader, naming the parameter and its value.
    """

    def __init__(self, query: str) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=1_000):
            self._values.setdefault(name, []).append(value)

    def __bool__(self) -> bool:
        return bool(self._values)

    def texts(self, *names: str) -> tuple[str, ...]:
        """All values under any of ``names``, repeated or comma-separated."""
        return tuple(
            part for name in names for value in self._values.get(name, ()) for part in value.split(",") if part
        )

    def raw_texts(self, *names: str) -> tuple[str, ...]:
        """As :meth:`texts`, for values that may hold a comma themselves, such as URLs."""
        return tuple(value for name in names for value in self._values.get(name, ()) if value)

    def text(self, name: str) -> str | None:
        """The first value, None when absent or empty."""
        return next((value for value in self._values.get(name, ()) if value), None)

    def number(self, name: str, *, least: int = 0, most: int = 2**53) -> int | None:
        """A whole number between ``least`` and ``most``."""
        value = self.text(name)
        return None if value is None else _number(name, value, least, most)

    def numbers(self, name: str) -> tuple[int, ...]:
        """Whole numbers, repeated or comma-separated."""
        return tuple(_number(name, value, 0, 2**53) for value in self.texts(name))

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """One of ``choices``."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise Rejected(400, texts.invalid_parameter(name, value, f"it is one of {', '.join(choices)}"))
        return value

    def allow_only(self, names: Iterable[str]) -> None:
        """Refuse parameters that are not in ``names``, so that a typo selects nothing rather than everything."""
        known = {*names, "qstash_token"}
        for name in self._values:
            if name not in known:
                raise Rejected(400, texts.unknown_parameter(name))


def _number(name: str, value: str, least: int, most: int) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 18 or not least <= int(value) <= most:
        raise Rejected(400, texts.invalid_parameter(name, value, f"it is a whole number from {least} to {most}"))
    return int(value)
