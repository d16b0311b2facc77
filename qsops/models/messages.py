"""What is published, what QStash holds of it, and what it answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

__all__ = [
    "DEFAULT_METHOD",
    "DEFAULT_RETRIES",
    "Callback",
    "DeadLetter",
    "FlowControl",
    "Headers",
    "ItemError",
    "KeyPair",
    "Message",
    "Publish",
    "Receipt",
]

#: Header names and values in order; a name may come more than once.
Headers = tuple[tuple[str, str], ...]

DEFAULT_METHOD = "POST"
DEFAULT_RETRIES = 3


class FlowControl(msgspec.Struct, frozen=True, cache_hash=True):
    """A key with the limits its messages share; at least one of ``parallelism`` and ``rate`` is set."""

    key: str
    parallelism: int | None = None
    rate: int | None = None
    period_s: int = 1


class Callback(msgspec.Struct, frozen=True, cache_hash=True):
    """Where QStash reports an outcome to, and how that report itself is sent. ``headers`` are forwarded with it."""

    url: str
    method: str = DEFAULT_METHOD
    headers: Headers = ()
    retries: int | None = None
    retry_delay: str | None = None
    timeout_s: int | None = None
    delay_s: int | None = None


class Publish(msgspec.Struct, frozen=True):
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
    """A message as QStash holds it; ``headers`` is what its destination receives, in canonical case.

    ``redact`` never shows on the wire: it names what is hidden there, and is only known to who holds the message.
    """

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
    redact: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that failed for good, with the answer that decided it. ``response_status`` 0: there was no answer."""

    dlq_id: str
    message: Message
    response_status: int = 0
    response_headers: Headers = ()
    response_body: bytes = b""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The two signing keys. Deliveries are signed with ``current``; a receiver accepts both while they rotate."""

    current: str = field(repr=False)
    next: str | None = field(default=None, repr=False)

    @property
    def fingerprints(self) -> dict[str, str | None]:
        """The first 8 hex digits of each key's SHA-256: two holders can compare their keys without showing them."""
        return {"current": _fingerprint(self.current), "next": _fingerprint(self.next) if self.next else None}


def _fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:8]
