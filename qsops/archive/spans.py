"""Ranges of whole milliseconds, both ends included: pure."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Span", "united"]

Span = tuple[int, int]


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """``spans`` without overlaps, oldest first; those that touch are one."""
    found: list[Span] = []
    for from_ms, to_ms in sorted(spans):
        if found and from_ms <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], to_ms))
        else:
            found.append((from_ms, to_ms))
    return tuple(found)
