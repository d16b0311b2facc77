"""What to list, and one page of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["CancelFilter", "DlqFilter", "LogFilter", "Page"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filter:
    """What every listing can be narrowed by. Values of one field are ORed, fields are ANDed; dates are inclusive."""

    message_ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    url_groups: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    schedule_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    flow_control_keys: tuple[str, ...] = ()
    caller_ips: tuple[str, ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter(_Filter):
    """What log entries to list, newest first unless ``earliest_first``."""

    states: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    earliest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DlqFilter(_Filter):
    """What dead letters to list, delete or retry; dates are those of the failure."""

    dlq_ids: tuple[str, ...] = ()
    response_statuses: tuple[int, ...] = ()
    earliest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFilter(_Filter):
    """What pending messages to cancel; dates are those of their creation."""

    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; ``cursor`` leads to the next and is None at the end."""

    items: tuple[T, ...]
    cursor: str | None = None
