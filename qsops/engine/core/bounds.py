"""How much of a message may be headers: what a consumer's server takes, and not more."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from qsops.engine.texts import head_too_large, too_many_headers
from qsops.errors import Rejected
from qsops.models import Headers, Publish

__all__ = ["MESSAGE_HEADERS_BYTES", "MESSAGE_HEADERS_LIMIT", "check_headers"]

#: Headers that one message forwards, and their bytes together: common servers take a hundred, and 16 to 32 KiB.
MESSAGE_HEADERS_LIMIT: Final = 100
MESSAGE_HEADERS_BYTES: Final = 32 * 1024


def check_headers(publish: Publish) -> None:
    """Hold what ``publish`` and its callbacks forward to these limits; in a batch no request's own limit does.

    :raises Rejected: 431.
    """
    for part in (publish, publish.callback, publish.failure_callback):
        if part is not None:
            _check(part.headers)


@lru_cache(maxsize=1_024)
def _check(headers: Headers) -> None:
    if len(headers) > MESSAGE_HEADERS_LIMIT:
        raise Rejected(431, too_many_headers(len(headers), MESSAGE_HEADERS_LIMIT))
    if sum(len(name) + len(value) for name, value in headers) > MESSAGE_HEADERS_BYTES:
        raise Rejected(431, head_too_large(MESSAGE_HEADERS_BYTES))
