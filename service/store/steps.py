"""What a verb does, as statements that any of our databases runs: yielded one by one, each answered with its rows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from service.store.values import Statement

__all__ = ["Many", "Rows", "Steps"]

T = TypeVar("T")
Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Many:
    """One statement with each of ``rows`` in turn: parameters by name. It is answered by how many rows it has changed.

    Where it is known that SQLite runs it, they may be values in their order, for a statement with ``?``.
    """

    sql: str
    rows: Sequence[Any]


#: All within one transaction; what it returns is the verb's answer.
Steps = Generator[Statement | Many, Rows, T]
