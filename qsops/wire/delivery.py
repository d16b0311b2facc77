"""The headers that a destination receives, beside the body as it was published."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from qsops.models import Headers, Message
from qsops.wire.header_text import from_wire, to_wire
from qsops.wire.runs import RUN_PREFIX

__all__ = [
    "NON_RETRYABLE_HEADER",
    "NON_RETRYABLE_STATUS",
    "SIGNATURE_HEADER",
    "DeliveryFacts",
    "delivery_headers",
    "parse_delivery_headers",
    "parse_raw_delivery_headers",
]

USER_AGENT: Final = "Upstash-QStash"
SIGNATURE_HEADER: Final = "Upstash-Signature"
_SIGNATURE: Final = SIGNATURE_HEADER.lower().encode()
#: More attempts than that nobody makes.
_COUNT_DIGITS: Final = 10
#: A destination answers 489 with this header when no retry can mend it.
NON_RETRYABLE_STATUS: Final = 489
NON_RETRYABLE_HEADER: Final = "Upstash-NonRetryable-Error"


#: HTTP itself finds its way and its ends by these, so each connection makes its own: a publisher who forwards a
#: Content-Length of his own would make of one request two, the second unsigned.
_FRAMING: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def delivery_headers(
    message: Message, *, retried: int, signature: str | None = None, region: str | None = None
) -> Headers:
    """What goes with attempt ``retried`` (0 is the first) of ``message``. ``region`` is e.g. ``EU-CENTRAL-1``.

    The signature may come later: it is of the moment that the request leaves.
    """
    own = (
        (SIGNATURE_HEADER, signature),
        ("Upstash-Message-Id", message.message_id),
        ("Upstash-Retried", str(retried)),
        ("Upstash-Topic-Name", message.url_group),
        ("Upstash-Schedule-Id", message.schedule_id),
        ("Upstash-Caller-Ip", message.caller_ip),
        ("Upstash-Region", region),
    )
    return (*_forwarded(message.headers), *[(name, value) for name, value in own if value is not None])


@lru_cache(maxsize=1_024)
def _forwarded(headers: Headers) -> Headers:
    """What goes on of a message's own headers; many messages share them.

    None of them may pass for one of QStash's own: a consumer that holds the signature trusts these. But those of a
    workflow's run are its publisher's.
    """
    names = [name.lower() for name, _ in headers]
    kept = [
        pair
        for name, pair in zip(names, headers, strict=True)
        if name not in _FRAMING and (name.startswith(RUN_PREFIX) or not name.startswith("upstash-"))
    ]
    return (*kept,) if "user-agent" in names else (*kept, ("User-Agent", USER_AGENT))


class DeliveryFacts(msgspec.Struct, frozen=True):
    """What QStash says of a delivery. ``retried`` is 0 where the header is missing or malformed."""

    message_id: str | None
    retried: int
    schedule_id: str | None = None
    url_group: str | None = None
    caller_ip: str | None = None
    region: str | None = None
    signature: str | None = None
    several_signatures: bool = False

    def __repr__(self) -> str:
        """Without the signature: whoever has it can replay the delivery while it is fresh."""
        return f"DeliveryFacts(message_id={self.message_id!r}, retried={self.retried})"


def parse_delivery_headers(headers: Headers) -> DeliveryFacts:
    """The opposite of :func:`delivery_headers`; trust it only once the signature holds. Nothing in them raises."""
    return parse_raw_delivery_headers([(to_wire(name.lower()), to_wire(value)) for name, value in headers])


def parse_raw_delivery_headers(raw: Sequence[tuple[bytes, bytes]]) -> DeliveryFacts:
    """As :func:`parse_delivery_headers`, for headers as ASGI has them: bytes, the names in lower case."""
    # Backwards, so that of several the first stays.
    first = dict(reversed(raw))
    told = first.get
    return DeliveryFacts(
        _text(told(b"upstash-message-id")),
        _count(told(b"upstash-retried", b"")),
        _text(told(b"upstash-schedule-id")),
        _text(told(b"upstash-topic-name")),
        _text(told(b"upstash-caller-ip")),
        _text(told(b"upstash-region")),
        _text(told(_SIGNATURE)),
        len(first) < len(raw) and sum(name == _SIGNATURE for name, _ in raw) > 1,
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else from_wire(value)


def _count(value: bytes) -> int:
    return int(value) if value.isdigit() and len(value) < _COUNT_DIGITS else 0
