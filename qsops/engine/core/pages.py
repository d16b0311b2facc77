"""Pages: keysets on a row's number, so that inserts and deletes move nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from qsops.engine.texts import invalid_cursor
from qsops.errors import Rejected
from qsops.models import Page

__all__ = ["PAGE_BYTES_LIMIT", "after", "page_of"]

T = TypeVar("T")

#: A page ends early once it holds this much: a thousand entries may carry bodies of 10 MiB each.
PAGE_BYTES_LIMIT: Final = 32 * 1024 * 1024

_CURSOR = re.compile(r"\d{1,15}-(\d{1,18})")


def after(cursor: str | None, *, earliest_first: bool) -> int:
    """The number that the page starts behind.

    :raises Rejected: 400, when ``cursor`` is none that this engine gave.
    """
    if cursor is None:
        return 0 if earliest_first else 2**62
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise Rejected(400, invalid_cursor(cursor))
    return int(match[1])


def page_of(
    rows: Iterable[Sequence[Any]], limit: int, cursor_of: Callable[[Sequence[Any]], str], item: Callable[..., T]
) -> Page[T]:
    """The first ``limit`` of ``rows``, each made an ``item``; the cursor is set only if there are more."""
    items: list[T] = []
    size = 0
    last: Sequence[Any] | None = None
    for row in rows:
        if len(items) == limit or size >= PAGE_BYTES_LIMIT:
            assert last is not None
            return Page(tuple(items), cursor_of(last))
        items.append(item(row))
        size += sum(len(value) for value in row if isinstance(value, bytes | str))
        last = row
    return Page(tuple(items))
