"""Named parameters (``:name``) as values in their order: SQLite's driver looks up each name again for every row."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from service.store.values import Parameters

__all__ = ["ordered"]

_CACHED: Final = 1_024
# Where each colon is a parameter's: nothing is quoted or a comment, and no name or parameter is spelled in another way.
_PLAIN: Final = re.compile(r"(?:[^'\"`\[\]$@?#/:\x80-\U0010ffff-]|:[A-Za-z_]\w*|-(?!-)|/(?!\*))*", re.ASCII)
_NAME: Final = re.compile(r":([A-Za-z_]\w*)", re.ASCII)

Values = Callable[[Parameters], tuple[Any, ...]]


@lru_cache(_CACHED)
def ordered(sql: str) -> tuple[str, Values] | None:
    """``sql`` with a ``?`` for each parameter, and what puts a row's values in their order; None if it is not plain."""
    names = _NAME.findall(sql)
    if len(names) < 2 or not _PLAIN.fullmatch(sql):
        return None
    # One that is named twice comes twice: with a number of its own (``?1``) some versions of Python warn of it.
    return _NAME.sub("?", sql), itemgetter(*names)
