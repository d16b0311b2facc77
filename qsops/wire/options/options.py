"""All options of one message, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from qsops.errors import Rejected
from qsops.models import Callback, FlowControl, Headers, Publish
from qsops.wire import texts
from qsops.wire.durations import format_duration
from qsops.wire.http import canonical
from qsops.wire.options import values
from qsops.wire.options.callbacks import (
    CALLBACK,
    CALLBACK_OPTIONS,
    FAILURE_CALLBACK,
    decode_callback,
    encode_callback,
)
from qsops.wire.options.forwarding import decode_content_type, decode_everything, decode_forwarded, encode_forwarded
from qsops.wire.options.reading import OPTION_PREFIX, Readers, collect, read, read_all, with_parameters

__all__ = [
    "CRON",
    "OPTION_HEADERS",
    "apply_overrides",
    "decode_collected",
    "decode_options",
    "encode_options",
    "forwards_everything",
    "is_known",
]

_FLOW_KEY: Final = "Upstash-Flow-Control-Key"
_FLOW_VALUE: Final = "Upstash-Flow-Control-Value"
CRON: Final = "upstash-cron"
_HEADER_FORWARD: Final = "upstash-header-forward"

#: What nearly every message has a value of its own for, and what else has a say.
_OWN: Final = ("upstash-forward-", "upstash-deduplication-id", "upstash-label")
_SHARED: Final = (OPTION_PREFIX, "content-type")

_READERS: Final[Readers] = {
    "method": ("method", values.decode_method),
    "delay": ("delay_s", values.decode_duration),
    "not-before": ("not_before_s", values.decode_whole),
    "timeout": ("timeout_s", values.decode_timeout),
    "retries": ("retries", values.decode_whole),
    "retry-delay": ("retry_delay", values.decode_expression),
    "deduplication-id": ("deduplication_id", values.decode_deduplication_id),
    "content-based-deduplication": ("content_based_deduplication", values.decode_flag),
    "label": ("labels", values.decode_labels),
    "redact-fields": ("redact", values.decode_redact),
    # Of schedules: each message that one makes goes into this queue.
    "queue-name": ("queue", values.decode_queue),
}
#: The header of each option of a message, without those of forwarding, whose names are the publisher's.
OPTION_HEADERS: Final = tuple(
    canonical(OPTION_PREFIX + name)
    for name in (
        *_READERS,
        *("flow-control-key", "flow-control-value", "header-forward"),
        *CALLBACK_OPTIONS,
    )
)
_KNOWN: Final = frozenset(map(str.lower, OPTION_HEADERS))
_FORWARDING: Final = ("upstash-forward-", "upstash-callback-forward-", "upstash-failure-callback-forward-")


def is_known(name: str) -> bool:
    """Whether ``name``, of a header or parameter, is an option of a message, forwarding included."""
    lowered = name.lower()
    return lowered in _KNOWN or lowered.startswith(_FORWARDING)


def encode_options(publish: Publish) -> Headers:
    """``publish`` without its destination, queue and body, as headers."""
    own = (
        ("Upstash-Not-Before", _number(publish.not_before_s)),
        ("Upstash-Deduplication-Id", publish.deduplication_id),
        ("Upstash-Label", ",".join(publish.labels) or None),
    )
    shared = _encode_shared(
        publish.method,
        publish.delay_s,
        publish.timeout_s,
        publish.retries,
        publish.retry_delay,
        publish.content_based_deduplication,
        publish.redact,
        publish.flow_control,
        publish.callback,
        publish.failure_callback,
    )
    return (*shared, *[(name, value) for name, value in own if value is not None], *encode_forwarded(publish.headers))


@lru_cache(maxsize=1_024)
def _encode_shared(
    method: str,
    delay_s: int | None,
    timeout_s: int | None,
    retries: int | None,
    retry_delay: str | None,
    content_based: bool,
    redact: tuple[str, ...],
    flow: FlowControl | None,
    callback: Callback | None,
    failure_callback: Callback | None,
) -> Headers:
    """What the messages of one publisher mostly have in common."""
    options = (
        ("Upstash-Method", method),
        ("Upstash-Delay", _duration(delay_s)),
        ("Upstash-Timeout", _duration(timeout_s)),
        ("Upstash-Retries", _number(retries)),
        ("Upstash-Retry-Delay", retry_delay),
        ("Upstash-Content-Based-Deduplication", "true" if content_based else None),
        ("Upstash-Redact-Fields", ",".join(redact) or None),
    )
    return (
        *[(name, value) for name, value in options if value is not None],
        *(() if flow is None else ((_FLOW_KEY, flow.key), (_FLOW_VALUE, values.encode_flow_limits(flow)))),
        *encode_callback(CALLBACK, callback),
        *encode_callback(FAILURE_CALLBACK, failure_callback),
    )


def decode_options(destination: str, headers: Headers, body: bytes = b"", query: str = "") -> Publish:
    """The message to ``destination`` that ``headers``, and ``upstash-…`` parameters of ``query``, ask for.

    Options that are not known are passed over. The destination is carried as it is.

    :raises Rejected: 400, naming the header and its value; for ``Upstash-Cron``, too, which makes a schedule.
    """
    headers = with_parameters(headers, query)
    own, shared = _parted(headers)
    fields = _decode_shared(shared)
    if fields is None:
        return Publish(destination, body, **_decode(collect(headers), headers))
    if not own:
        return Publish(destination, body, **fields)
    forwarded = decode_forwarded(own)
    named = {name for name, _ in forwarded}
    kept = [pair for pair in fields["headers"] if pair[0] not in named]
    return Publish(destination, body, **{**fields, **read_all(collect(own), _READERS), "headers": (*kept, *forwarded)})


def decode_collected(destination: str, options: Mapping[str, str], headers: Headers, body: bytes) -> Publish:
    """The message that ``options`` ask for, as they were collected from ``headers``.

    :raises Rejected: 400, naming the header and its value.
    """
    return Publish(destination, body, **_decode(options, headers))


def _parted(headers: Headers) -> tuple[Headers, Headers]:
    """The options that each message has of its own, and those that many share."""
    own, shared = [], []
    for pair in headers:
        name = pair[0].lower()
        if name.startswith(_OWN):
            own.append(pair)
        elif name.startswith(_SHARED):
            shared.append(pair)
    return tuple(own), tuple(shared)


@lru_cache(maxsize=1_024)
def _decode_shared(shared: Headers) -> dict[str, Any] | None:
    """The fields of all messages with these options; nobody may change them. None where all headers are forwarded."""
    options = collect(shared)
    if CRON in options:
        # Passed over, it would send one message at once, and never again.
        raise Rejected(400, texts.CRON_ON_PUBLISH)
    return None if forwards_everything(options) else _decode(options, shared)


def _decode(options: Mapping[str, str], headers: Headers) -> dict[str, Any]:
    return {
        "headers": _headers(options, headers),
        "callback": decode_callback(CALLBACK, options, headers),
        "failure_callback": decode_callback(FAILURE_CALLBACK, options, headers),
        "flow_control": _flow_control(options),
        **read_all(options, _READERS),
    }


def apply_overrides(publish: Publish, headers: Headers) -> Publish:
    """``publish`` with the options that ``headers`` names in place of its own, as a retry of a dead letter asks for.

    Whatever else ``headers`` holds is about the request itself.

    :raises Rejected: 400, naming the header and its value.
    """
    overrides = tuple(pair for pair in headers if pair[0].lower().startswith(OPTION_PREFIX))
    if not overrides:
        return publish
    named = {name.lower() for name, _ in overrides}
    kept = tuple(pair for pair in encode_options(publish) if pair[0].lower() not in named)
    changed = decode_options(publish.destination, (*kept, *overrides), publish.body)
    return msgspec.structs.replace(changed, queue=changed.queue or publish.queue)


def forwards_everything(options: Mapping[str, str]) -> bool:
    """Whether all headers of a request go on to the destination, as webhooks need it.

    :raises Rejected: 400 when the option is neither true nor false.
    """
    everything = options.get(_HEADER_FORWARD)
    return everything is not None and bool(read(_HEADER_FORWARD, everything, values.decode_flag))


def _headers(options: Mapping[str, str], headers: Headers) -> Headers:
    forwarded = decode_forwarded(headers)
    if not forwards_everything(options):
        return (*decode_content_type(headers), *forwarded)
    named = {name for name, _ in forwarded}
    return (*(pair for pair in decode_everything(headers) if pair[0] not in named), *forwarded)


def _flow_control(options: Mapping[str, str]) -> FlowControl | None:
    key, limits = options.get(_FLOW_KEY.lower()), options.get(_FLOW_VALUE.lower())
    if key is not None and limits is not None:
        flow: FlowControl = read(_FLOW_VALUE, limits, lambda text: values.decode_flow_limits(key, text))
        return flow
    if key is not None:
        raise Rejected(400, texts.invalid_header(_FLOW_KEY, key, f"it needs {_FLOW_VALUE}"))
    if limits is not None:
        raise Rejected(400, texts.invalid_header(_FLOW_VALUE, limits, f"it needs {_FLOW_KEY}"))
    return None


def _duration(seconds: int | None) -> str | None:
    return None if seconds is None else format_duration(seconds)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
