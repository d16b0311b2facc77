"""The headers that a destination receives, beside the body as it was published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from qsops.models import Headers, Message

__all__ = [
    "NON_RETRYABLE_HEADER",
    "NON_RETRYABLE_STATUS",
    "DeliveryFacts",
    "delivery_headers",
    "parse_delivery_headers",
]

USER_AGENT: Final = "Upstash-QStash"
#: A destination answers 489 with this header when no retry can mend it.
NON_RETRYABLE_STATUS: Final = 489
NON_RETRYABLE_HEADER: Final = "Upstash-NonRetryable-Error"


def delivery_headers(message: Message, *, retried: int, signature: str, region: str | None = None) -> Headers:
    """What goes with attempt ``retried`` (0 is the first) of ``message``. ``region`` is e.g. ``EU-CENTRAL-1``."""
    # A forwarded header must not pass for one of QStash's own: a consumer that holds the signature trusts these.
    found = [(name, value) for name, value in message.headers if not name.lower().startswith("upstash-")]
    if not any(name.lower() == "user-agent" for name, _ in found):
        found.append(("User-Agent", USER_AGENT))
    own = (
        ("Upstash-Signature", signature),
        ("Upstash-Message-Id", message.message_id),
        ("Upstash-Retried", str(retried)),
        ("Upstash-Topic-Name", message.url_group),
        ("Upstash-Schedule-Id", message.schedule_id),
        ("Upstash-Caller-Ip", message.caller_ip),
        ("Upstash-Region", region),
    )
    return (*found, *((name, value) for name, value in own if value is not None))


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """What QStash says of a delivery. ``retried`` is 0 where the header is missing or malformed."""

    message_id: str | None
    retried: int
    schedule_id: str | None = None
    url_group: str | None = None
    caller_ip: str | None = None
    region: str | None = None
    signature: str | None = field(default=None, repr=False)


def parse_delivery_headers(headers: Headers) -> DeliveryFacts:
    """The opposite of :func:`delivery_headers`; trust it only once the signature holds. Nothing in them raises."""
    known: dict[str, str] = {}
    for name, value in headers:
        known.setdefault(name.lower(), value)
    retried = known.get("upstash-retried", "0")
    return DeliveryFacts(
        message_id=known.get("upstash-message-id"),
        retried=int(retried) if retried.isascii() and retried.isdigit() and len(retried) < 10 else 0,
        schedule_id=known.get("upstash-schedule-id"),
        url_group=known.get("upstash-topic-name"),
        caller_ip=known.get("upstash-caller-ip"),
        region=known.get("upstash-region"),
        signature=known.get("upstash-signature"),
    )
