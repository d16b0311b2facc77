"""What became of a message: log entries, callback reports, and what a service recorded of its event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from qsops.models.messages import FlowControl, Headers

__all__ = ["CallbackReport", "LedgerEntry", "LogEntry", "State"]


class State:
    """The states of a log entry as they are spelled on the wire. Others may come, and are kept as they came."""

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One state transition of one message. ``extra`` keeps the fields that this version does not know."""

    time_ms: int
    message_id: str
    state: str
    url: str | None = None
    url_group: str | None = None
    endpoint: str | None = None
    queue: str | None = None
    schedule_id: str | None = None
    labels: tuple[str, ...] = ()
    method: str | None = None
    response_status: int | None = None
    error: str | None = None
    next_delivery_ms: int | None = None
    max_retries: int | None = None
    retry_delay: str | None = None
    flow_control: FlowControl | None = None
    caller_ip: str | None = None
    timeout_ms: int | None = None
    callback: str | None = None
    callback_headers: Headers = ()
    failure_callback: str | None = None
    failure_callback_headers: Headers = ()
    headers: Headers = ()
    body: bytes | None = None
    response_headers: Headers = ()
    response_body: bytes | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallbackReport:
    """What a callback or failure callback tells: the outcome of one attempt of ``source_message_id``."""

    source_message_id: str
    status: int
    url: str
    method: str
    retried: int
    max_retries: int
    headers: Headers = ()
    body: bytes = b""
    source_headers: Headers = ()
    source_body: bytes = b""
    created_at_ms: int | None = None
    not_before_ms: int | None = None
    dlq_id: str | None = None
    url_group: str | None = None
    endpoint: str | None = None
    schedule_id: str | None = None
    caller_ip: str | None = None


class LedgerEntry(msgspec.Struct, frozen=True):
    """What a service says of one event: when it was received, published and processed, and as which message.

    ``state`` is queued (in the outbox), published, parked (refused for good), processed, or dead.
    """

    event_id: str
    kind: str
    account: str
    state: str
    received_at_ms: int
    mid: str | None = None
    message_id: str | None = None
    published_at_ms: int | None = None
    processed_at_ms: int | None = None
    deliveries: int = 0
    reason: str | None = None
