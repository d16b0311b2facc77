"""Ranges of the log, and how one is parted for several listings at once: pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from qsops.models import LogFilter

__all__ = ["AT_ONCE", "MOST_OF_A_PART", "MOST_PAGES", "cut_at", "parts_of", "windows_of"]

#: Listings that are read at once: each has one request under way.
AT_ONCE: Final = 16
#: A range that is expected to have more pages than this is parted, into parts of about half as many.
MOST_PAGES: Final = 8
#: The same of a part of one. Each ends with a page that is not full, so that small ones would cost more requests.
MOST_OF_A_PART: Final = 24
_MOST_PARTS: Final = 4 * AT_ONCE


def parts_of(which: LogFilter, newest_ms: int, oldest_ms: int, most_pages: int = MOST_PAGES) -> list[LogFilter]:
    """``which`` in parts, the latest first; itself if ``most_pages`` will do.

    Its first page, of which there are more, goes from ``newest_ms`` back to ``oldest_ms``; if the rest is as dense,
    each part has a few pages. One that turns out to have more is parted again.
    """
    if which.from_ms is None or which.earliest_first:
        return [which]
    end_ms = newest_ms if which.to_ms is None else which.to_ms
    pages = (end_ms - which.from_ms + 1) / max(1, end_ms - oldest_ms + 1)
    if pages <= most_pages:
        return [which]
    latest, *others = windows_of(replace(which, to_ms=end_ms), _count(pages, most_pages))
    # An open end stays open: what is written meanwhile, or by a clock ahead of ours, belongs to it.
    return [replace(latest, to_ms=which.to_ms), *others]


def _count(pages: float, most_pages: int) -> int:
    """In how many parts: one for each listing or fewer, or as many for each, so that none is alone at the end."""
    count = math.ceil(2 * pages / most_pages)
    if count <= AT_ONCE:
        return count
    rounds = round(2 * pages / MOST_OF_A_PART / AT_ONCE)
    return min(_MOST_PARTS, AT_ONCE * max(1, rounds))


def cut_at(which: LogFilter, at_ms: int) -> tuple[LogFilter, LogFilter] | None:
    """``which`` from ``at_ms`` on, and what is before that; None if it cannot be parted there."""
    if which.from_ms is None or which.earliest_first or at_ms <= which.from_ms:
        return None
    return replace(which, from_ms=at_ms), replace(which, to_ms=at_ms - 1)


def windows_of(which: LogFilter, count: int) -> list[LogFilter]:
    """``which`` in at most ``count`` windows of whole milliseconds, the latest first; one if an end is open.

    Whole ones, since the entries of a millisecond have an order that only one listing can tell.
    """
    if which.from_ms is None or which.to_ms is None:
        return [which]
    span = which.to_ms - which.from_ms + 1
    parts = max(1, min(count, span))
    edges = [which.from_ms + span * n // parts for n in range(parts + 1)]
    return [replace(which, from_ms=edges[n], to_ms=edges[n + 1] - 1) for n in reversed(range(parts))]
