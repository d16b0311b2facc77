"""Headers for the destination: each with a prefix of its own or, for webhooks, all as they came."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire import texts
from qsops.wire.http import canonical
from qsops.wire.options.reading import OPTION_PREFIX

__all__ = [
    "HEADER_NAME",
    "NOT_IN_A_VALUE",
    "decode_content_type",
    "decode_everything",
    "decode_forwarded",
    "encode_forwarded",
]

_FORWARD: Final = "Upstash-Forward-"
_CONTENT_TYPE: Final = "content-type"

HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NOT_IN_A_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

# They belong to the connection on which a request came, and are made anew for the next. The authorization is the
# publisher's own with QStash: no destination may ever see it.
_NEVER: Final = frozenset(
    [
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)


def encode_forwarded(headers: Headers) -> Headers:
    """``headers`` with the prefix; the content type is passed through without it."""
    return tuple([(_as_forwarded(name), value) for name, value in headers])


@lru_cache(maxsize=1_024)
def _as_forwarded(name: str) -> str:
    return name if name.lower() == _CONTENT_TYPE else f"{_FORWARD}{name}"


def decode_forwarded(headers: Headers, prefix: str = _FORWARD) -> Headers:
    """What stands behind ``prefix``.

    :raises Rejected: 400, for a name or value that is no header.
    """
    lowered = prefix.lower()
    return tuple(
        _header(name[len(prefix) :], value, prefix) for name, value in headers if name.lower().startswith(lowered)
    )


def decode_content_type(headers: Headers) -> Headers:
    """The content type that is passed through, unless one is forwarded.

    The Python SDK forwards the one that its caller gave, besides its own default (reference, section 3).
    """
    if any(name.lower() == f"{_FORWARD.lower()}{_CONTENT_TYPE}" for name, _ in headers):
        return ()
    return tuple(_header(name, value) for name, value in headers if name.lower() == _CONTENT_TYPE and value.strip())[:1]


def decode_everything(headers: Headers) -> Headers:
    """All that came with a request, but its options and what must not go on.

    :raises Rejected: 400, for a name or value that is no header.
    """
    return tuple(
        _header(name, value)
        for name, value in headers
        if name.lower() not in _NEVER and not name.lower().startswith(OPTION_PREFIX)
    )


def _header(name: str, value: str, prefix: str = "") -> tuple[str, str]:
    """The items of a batch are JSON: a line break in one would be a second header for the destination.

    ``prefix`` is told with the name, as the publisher wrote it.
    """
    if not HEADER_NAME.fullmatch(name) or NOT_IN_A_VALUE.search(value):
        raise Rejected(
            400, texts.invalid_header(f"{prefix}{name}", value, "a header has a name, and one line as its value")
        )
    return canonical(name), value.strip(" \t")
