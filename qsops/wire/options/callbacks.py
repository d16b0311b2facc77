"""The callback options of a message: where to report to, and how that report is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qsops.errors import Rejected
from qsops.models import DEFAULT_METHOD, Callback, Headers
from qsops.wire import texts
from qsops.wire.durations import format_duration
from qsops.wire.options.forwarding import decode_forwarded
from qsops.wire.options.reading import Readers, read_all
from qsops.wire.options.values import (
    decode_duration,
    decode_expression,
    decode_method,
    decode_timeout,
    decode_whole,
)

__all__ = ["CALLBACK", "CALLBACK_OPTIONS", "FAILURE_CALLBACK", "decode_callback", "encode_callback"]

CALLBACK: Final = "Upstash-Callback"
FAILURE_CALLBACK: Final = "Upstash-Failure-Callback"

_READERS: Final[Readers] = {
    "method": ("method", decode_method),
    "retries": ("retries", decode_whole),
    "retry-delay": ("retry_delay", decode_expression),
    "timeout": ("timeout_s", decode_timeout),
    "delay": ("delay_s", decode_duration),
}
#: The rest of the header of each option of a callback, of either kind.
CALLBACK_OPTIONS: Final = tuple(
    f"{kind}{option}"
    for kind in ("callback", "failure-callback")
    for option in ("", *(f"-{name}" for name in _READERS))
)


def encode_callback(header: str, callback: Callback | None) -> Headers:
    """The headers for ``callback``; its URL stands in ``header`` itself."""
    if callback is None:
        return ()
    options = (
        ("Method", callback.method if callback.method != DEFAULT_METHOD else None),
        ("Retries", None if callback.retries is None else str(callback.retries)),
        ("Retry-Delay", callback.retry_delay),
        ("Timeout", None if callback.timeout_s is None else format_duration(callback.timeout_s)),
        ("Delay", None if callback.delay_s is None else format_duration(callback.delay_s)),
    )
    return (
        (header, callback.url),
        *((f"{header}-{name}", value) for name, value in options if value is not None),
        *((f"{header}-Forward-{name}", value) for name, value in callback.headers),
    )


def decode_callback(header: str, options: Mapping[str, str], headers: Headers) -> Callback | None:
    """The callback of ``header``.

    Its options mean nothing without it, but are read; those that are not known are passed over.

    :raises Rejected: 400 for a value that cannot be read.
    """
    forwarded = decode_forwarded(headers, f"{header}-Forward-")
    fields = read_all(options, _READERS, f"{header.lower()}-")
    url = options.get(header.lower())
    if url is None:
        return None
    if not url.startswith(("http://", "https://")):
        raise Rejected(400, texts.invalid_header(header, url, "add http:// or https://"))
    return Callback(url, headers=forwarded, **fields)
