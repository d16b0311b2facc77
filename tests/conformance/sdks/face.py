"""What a test asks of an SDK, whichever it is.

Options are named as in Python (``retry_delay``); results are the handful of fields that every SDK has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Letter", "Log", "Message", "Published", "Sdk", "SdkError"]


class SdkError(Exception):
    """Whatever an SDK raised, with its text; ``kind`` is its own class of error, by name."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Published:
    message_id: str
    deduplicated: bool


@dataclass(frozen=True, slots=True)
class Message:
    message_id: str
    url: str
    method: str
    header: dict[str, list[str]]
    body: str | None
    max_retries: int
    created_at: int
    not_before: int
    label: str | None
    retry_delay: str | None
    callback: str | None
    failure_callback: str | None


@dataclass(frozen=True, slots=True)
class Log:
    message_id: str
    state: str
    time: int
    url: str
    label: str | None
    response_status: int | None
    retry_delay: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    dlq_id: str
    message_id: str
    response_status: int
    response_body: str | None
    label: str | None


class Sdk(Protocol):
    """One SDK as a client of one server."""

    def publish(self, url: str, body: str, **options: Any) -> Published: ...
    def publish_json(self, url: str, body: Any, **options: Any) -> Published: ...
    def batch_json(self, items: list[dict[str, Any]]) -> list[Published]: ...
    def message(self, message_id: str) -> Message: ...
    def cancel(self, message_id: str) -> None: ...
    def cancel_many(self, message_ids: list[str]) -> int: ...
    def cancel_all(self) -> int: ...
    def logs(
        self, cursor: str | None = None, count: int | None = None, **where: str
    ) -> tuple[list[Log], str | None]: ...
    def dead_letters(self, **where: str) -> list[Letter]: ...
    def delete_dead_letter(self, dlq_id: str) -> None: ...
    def delete_dead_letters(self, dlq_ids: list[str]) -> int: ...

    def verify(self, keys: tuple[str, str], signature: str, body: str, url: str) -> None:
        """Raises SdkError unless the signature holds."""
        ...
