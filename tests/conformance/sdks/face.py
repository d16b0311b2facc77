"""What a test asks of an SDK, whichever it is.

Options are named as in Python (``retry_delay``); results are the handful of fields that every SDK has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from tests.conformance.sdks.catalog import Flows, Groups, Limit, Queues, Schedules

__all__ = ["Letter", "Log", "Message", "Published", "Sdk", "SdkError"]


class SdkError(Exception):
    """Whatever an SDK raised, with its text; ``kind`` is its own class of error, by name."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Published:
    """``url`` is told of a message to one endpoint of a group."""

    message_id: str
    deduplicated: bool
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    message_id: str
    url: str
    method: str
    header: dict[str, list[str]]
    body: str | None
    body_base64: str | None
    max_retries: int
    created_at: int
    not_before: int
    label: str | None
    retry_delay: str | None
    callback: str | None
    failure_callback: str | None
    callback_header: dict[str, list[str]] | None
    failure_callback_header: dict[str, list[str]] | None
    group: str | None
    endpoint: str | None
    queue: str | None
    schedule_id: str | None
    limit: Limit | None


@dataclass(frozen=True, slots=True)
class Log:
    message_id: str
    state: str
    time: int
    url: str
    label: str | None
    response_status: int | None
    retry_delay: str | None
    group: str | None
    endpoint: str | None
    queue: str | None
    schedule_id: str | None
    body_base64: str | None
    header: dict[str, list[str]] | None
    max_retries: int | None
    method: str | None
    callback: str | None
    limit: Limit | None


@dataclass(frozen=True, slots=True)
class Letter:
    dlq_id: str
    message_id: str
    response_status: int
    response_body: str | None
    label: str | None
    url: str
    group: str | None
    queue: str | None
    schedule_id: str | None


class Sdk(Protocol):
    """One SDK as a client of one server; ``called`` are the methods of the SDK that were called through it."""

    language: str
    called: set[str]

    @property
    def queues(self) -> Queues: ...
    @property
    def groups(self) -> Groups: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def flows(self) -> Flows: ...

    def publish(self, url: str, body: str | bytes | None, **options: Any) -> Published: ...
    def publish_json(self, url: str, body: Any, **options: Any) -> Published: ...
    def publish_to_group(self, group: str, body: str, **options: Any) -> list[Published]: ...
    def batch(self, items: list[dict[str, Any]]) -> list[Published | list[Published]]: ...
    def batch_json(self, items: list[dict[str, Any]]) -> list[Published | list[Published]]: ...
    def message(self, message_id: str) -> Message: ...
    def cancel(self, message_id: str) -> None: ...
    def cancel_many(self, message_ids: list[str]) -> int: ...
    def cancel_all(self) -> int: ...
    def logs(
        self, cursor: str | None = None, count: int | None = None, **where: Any
    ) -> tuple[list[Log], str | None]: ...
    def dead_letters(self, **where: Any) -> list[Letter]: ...
    def dead_letter_page(
        self, cursor: str | None = None, count: int | None = None, **where: Any
    ) -> tuple[list[Letter], str | None]: ...
    def delete_dead_letter(self, dlq_id: str) -> None: ...
    def delete_dead_letters(self, dlq_ids: list[str]) -> int: ...

    def verify(self, keys: tuple[str, str], signature: str, body: str, url: str) -> None:
        """Raises SdkError unless the signature holds."""
        ...
