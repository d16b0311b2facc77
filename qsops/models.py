"""The things QStash speaks of, as frozen values: what is published, what becomes of it, and what is remembered.

They stand below everyone who makes or reads them; how they look on the wire is :mod:`qsops.wire`'s business.
Times are unix milliseconds (``_ms``) or seconds (``_s``), in the unit the protocol itself uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = [
    "Callback",
    "CallbackReport",
    "CancelFilter",
    "DeadLetter",
    "DlqFilter",
    "FlowControl",
    "Headers",
    "ItemError",
    "KeyPair",
    "LedgerEntry",
    "LogEntry",
    "LogFilter",
    "Message",
    "Page",
    "Publish",
    "Receipt",
    "State",
]

#: Header names and values in order; a name may come more than once.
Headers = tuple[tuple[str, str], ...]

DEFAULT_METHOD = "POST"
DEFAULT_RETRIES = 3


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
class FlowControl:
    """A key with the limits its messages share; at least one of ``parallelism`` and ``rate`` is set."""

    key: str
    parallelism: int | None = None
    rate: int | None = None
    period_s: int = 1


@dataclass(frozen=True, slots=True)
class Callback:
    """Where QStash reports an outcome to, and how that report itself is sent. ``headers`` are forwarded with it."""

    url: str
    method: str = DEFAULT_METHOD
    headers: Headers = ()
    retries: int | None = None
    retry_delay: str | None = None
    timeout_s: int | None = None
    delay_s: int | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """One message as its publisher asks for it.

    ``destination`` is a URL, or the name of a URL group. ``headers`` are what the destination gets, ``Content-Type``
    among them. ``retry_delay`` is the ``Upstash-Retry-Delay`` expression, in milliseconds. ``redact`` holds ``body``,
    ``header`` or ``header[Name]``. With ``queue`` it is enqueued.
    """

    destination: str
    body: bytes = b""
    method: str = DEFAULT_METHOD
    headers: Headers = ()
    delay_s: int | None = None
    not_before_s: int | None = None
    timeout_s: int | None = None
    retries: int | None = None
    retry_delay: str | None = None
    callback: Callback | None = None
    failure_callback: Callback | None = None
    deduplication_id: str | None = None
    content_based_deduplication: bool = False
    labels: tuple[str, ...] = ()
    queue: str | None = None
    flow_control: FlowControl | None = None
    redact: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """QStash's answer to one publish. ``deduplicated`` means: accepted before under ``message_id``, not sent again."""

    message_id: str
    url: str | None = None
    deduplicated: bool = False


@dataclass(frozen=True, slots=True)
class ItemError:
    """One item of a batch that was refused while the others went through."""

    error: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message as QStash holds it; ``headers`` is what its destination receives, in canonical case."""

    message_id: str
    url: str
    created_at_ms: int
    not_before_ms: int
    max_retries: int = DEFAULT_RETRIES
    method: str = DEFAULT_METHOD
    headers: Headers = ()
    body: bytes = b""
    url_group: str | None = None
    endpoint: str | None = None
    queue: str | None = None
    schedule_id: str | None = None
    caller_ip: str | None = None
    labels: tuple[str, ...] = ()
    flow_control: FlowControl | None = None
    retry_delay: str | None = None
    timeout_s: int | None = None
    callback: Callback | None = None
    failure_callback: Callback | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that failed for good, with the answer that decided it. ``response_status`` 0: there was no answer."""

    dlq_id: str
    message: Message
    response_status: int = 0
    response_headers: Headers = ()
    response_body: bytes = b""


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
    failure_callback: str | None = None
    headers: Headers = ()
    body: bytes | None = None
    response_headers: Headers = ()
    response_body: bytes | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The two signing keys. Deliveries are signed with ``current``; a receiver accepts both while they rotate."""

    current: str = field(repr=False)
    next: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What log entries to list. Values of one field are ORed, fields are ANDed; dates are inclusive."""

    message_ids: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    url_groups: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    schedule_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    flow_control_keys: tuple[str, ...] = ()
    caller_ips: tuple[str, ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    earliest_first: bool = False


@dataclass(frozen=True, slots=True)
class DlqFilter:
    """What dead letters to list, delete or retry. Values of one field are ORed, fields are ANDed."""

    dlq_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    url_groups: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    schedule_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    flow_control_keys: tuple[str, ...] = ()
    caller_ips: tuple[str, ...] = ()
    response_statuses: tuple[int, ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    earliest_first: bool = False


@dataclass(frozen=True, slots=True)
class CancelFilter:
    """What pending messages to cancel. Values of one field are ORed, fields are ANDed; dates are inclusive."""

    message_ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    url_groups: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    schedule_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    flow_control_keys: tuple[str, ...] = ()
    caller_ips: tuple[str, ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None


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


@dataclass(frozen=True, slots=True)
class LedgerEntry:
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


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; ``cursor`` leads to the next and is None at the end."""

    items: tuple[T, ...]
    cursor: str | None = None
