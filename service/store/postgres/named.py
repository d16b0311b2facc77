"""Named parameters (``:name``) as PostgreSQL numbers them (``$1``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import psycopg

from service.store.values import Parameters

__all__ = ["Numbered", "numbered"]

_CACHED: Final = 1_024
# Where a colon is no parameter: in strings, quoted names, comments, dollar quotes and casts.
_TOKEN: Final = re.compile(
    r"""
    (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | --[^\n]*
    | (?P<comment>/\*)
    | (?<![\w$])\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$
    | ::
    | :(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A statement whose parameter ``$n`` is called ``names[n - 1]``."""

    sql: str
    names: tuple[str, ...]

    def values(self, parameters: Parameters) -> list[Any]:
        """The parameters in their order.

        :raises psycopg.ProgrammingError: when one is missing.
        """
        try:
            return [parameters[name] for name in self.names]
        except KeyError as error:
            raise psycopg.ProgrammingError(f"the statement has no value for its parameter :{error.args[0]}") from None


@lru_cache(_CACHED)
def numbered(sql: str) -> Numbered:
    """``sql`` with its parameters numbered; one that is named twice is one parameter."""
    numbers: dict[str, int] = {}
    parts, at = [], 0
    while found := _TOKEN.search(sql, at):
        name = found["name"]
        end = _comment_end(sql, found.end()) if found["comment"] else found.end()
        number = numbers.setdefault(name, len(numbers) + 1) if name else None
        parts += [sql[at : found.start()], sql[found.start() : end] if number is None else f"${number}"]
        at = end
    return Numbered("".join([*parts, sql[at:]]), tuple(numbers))


def _comment_end(sql: str, at: int) -> int:
    """Where the comment ends whose inside begins at ``at``; comments nest."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(sql, at)):
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at if depth == 0 else len(sql)
