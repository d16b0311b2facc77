"""One fault: what happens, to whom, how often and when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote, urlsplit

__all__ = ["Fault", "Kind", "concerns_call", "concerns_delivery", "is_active"]

Kind = Literal["status", "latency", "reset", "timeout", "unreachable"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Made by :func:`qsops.engine.faults.grammar.parse_fault`, which checks what may go together.

    ``of_engine`` is one of the engine as its clients meet it, any other is one of destinations. ``percent`` of what it
    is about meets it: everything that the patterns ``host``, ``url``, ``path`` and ``method`` let through, where ``*``
    stands for any text. With ``after`` the destination, or the engine, has done its part before: its answer is lost.
    It begins ``from_ms`` after it was set and lasts ``for_ms``; None is for good.
    """

    kind: Kind
    of_engine: bool = False
    status: int = 0
    latency_ms: int = 0
    percent: float = 100.0
    host: str | None = None
    url: str | None = None
    path: str | None = None
    method: str | None = None
    after: bool = False
    from_ms: int = 0
    for_ms: int | None = None


def is_active(fault: Fault, set_at_ms: int, now_ms: int) -> bool:
    """Whether its time is now; the end is no part of it."""
    since_ms = now_ms - set_at_ms - fault.from_ms
    return since_ms >= 0 and (fault.for_ms is None or since_ms < fault.for_ms)


def concerns_delivery(fault: Fault, method: str, url: str) -> bool:
    """Whether ``fault`` is about a delivery to ``url``; a URL that cannot be taken apart has no host and no path."""
    if fault.of_engine or not _fits(fault.method, method) or not _fits(fault.url, url):
        return False
    try:
        place = urlsplit(url)
    except ValueError:
        return fault.host is None and fault.path is None
    netloc = place.netloc.rpartition("@")[2].lower()
    host = netloc if ":" in (fault.host or "") else place.hostname or ""
    return _fits(fault.host, host) and _fits(fault.path, unquote(place.path) or "/")


def concerns_call(fault: Fault, method: str, path: str) -> bool:
    """Whether ``fault`` is about a request of a client to the engine."""
    return fault.of_engine and _fits(fault.method, method) and _fits(fault.path, unquote(path))


def _fits(pattern: str | None, text: str) -> bool:
    return pattern is None or _compiled(pattern).fullmatch(text) is not None


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
