"""What an account sets up, as the SDKs show it: queues, URL groups, schedules, flow control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Flow", "Flows", "Group", "Groups", "Limit", "Queue", "Queues", "Schedule", "Schedules"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A flow-control key with its limits; ``period`` in seconds."""

    key: str
    parallelism: int | None
    rate: int | None
    period: int | None


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    parallelism: int
    paused: bool
    lag: int
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Group:
    """``endpoints`` by URL; None is an endpoint without a name."""

    name: str
    endpoints: dict[str, str | None]
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """``delay`` and ``timeout`` in seconds, times in milliseconds."""

    schedule_id: str
    cron: str
    destination: str
    method: str
    header: dict[str, list[str]] | None
    body: str | None
    retries: int
    delay: int | None
    timeout: int | None
    callback: str | None
    failure_callback: str | None
    paused: bool
    queue: str | None
    limit: Limit | None
    retry_delay: str | None
    label: str | None
    created_at: int
    last: int | None
    next: int | None
    states: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Flow:
    """``rate_period`` in seconds, ``rate_period_start`` in seconds since 1970; a limit that is not set is 0."""

    key: str
    waiting: int
    parallelism_max: int
    parallelism_count: int
    rate_max: int
    rate_count: int
    rate_period: int
    rate_period_start: int
    paused: bool
    pinned_parallelism: bool
    pinned_rate: bool


class Queues(Protocol):
    def upsert(self, name: str, **options: Any) -> None: ...
    def get(self, name: str) -> Queue: ...
    def list(self) -> list[Queue]: ...
    def delete(self, name: str) -> None: ...
    def pause(self, name: str) -> None: ...
    def resume(self, name: str) -> None: ...
    def enqueue(self, name: str, url: str, body: str, **options: Any) -> str: ...
    def enqueue_json(self, name: str, url: str, body: Any, **options: Any) -> str: ...
    def enqueue_to_group(self, name: str, group: str, body: str, **options: Any) -> list[str]: ...


class Groups(Protocol):
    """Endpoints are given as ``{"url": …, "name": …}``."""

    def add(self, name: str, endpoints: list[dict[str, str]]) -> None: ...
    def remove(self, name: str, endpoints: list[dict[str, str]]) -> None: ...
    def get(self, name: str) -> Group: ...
    def list(self) -> list[Group]: ...
    def delete(self, name: str) -> None: ...


class Schedules(Protocol):
    def create(self, destination: str, cron: str, **options: Any) -> str: ...
    def get(self, schedule_id: str) -> Schedule: ...
    def list(self) -> list[Schedule]: ...
    def delete(self, schedule_id: str) -> None: ...
    def pause(self, schedule_id: str) -> None: ...
    def resume(self, schedule_id: str) -> None: ...


class Flows(Protocol):
    def get(self, key: str) -> Flow: ...
    def pause(self, key: str) -> None: ...
    def resume(self, key: str) -> None: ...
    def pin(self, key: str, **limits: int) -> None: ...
    def unpin(self, key: str, **which: bool) -> None: ...
    def reset_rate(self, key: str) -> None: ...

    def global_parallelism(self) -> tuple[int, int]:
        """The most calls at once, and how many there are."""
        ...
