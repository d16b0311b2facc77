"""The options of a message as headers: ``Upstash-*`` for QStash, ``Upstash-Forward-*`` for the destination.

Source: the request-header table of QStash's publish endpoints, and what its two SDKs send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from qsops.errors import Rejected
from qsops.models import DEFAULT_METHOD, Callback, FlowControl, Headers, Publish
from qsops.wire import texts
from qsops.wire.durations import format_duration, parse_duration
from qsops.wire.http import canonical

__all__ = ["OPTION_PREFIX", "apply_overrides", "decode_options", "encode_options"]

T = TypeVar("T")

OPTION_PREFIX = "upstash-"
_FORWARD = "upstash-forward-"
_CALLBACK = "upstash-callback"
_FAILURE = "upstash-failure-callback"
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0", ""})
# Of the publisher's own connection: these never describe the message, even when all headers are to be forwarded.
_HOP_BY_HOP = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def encode_options(publish: Publish) -> Headers:
    """``publish`` without its destination, queue and body, as headers."""
    found: list[tuple[str, str]] = [("Upstash-Method", publish.method)]
    for name, value in publish.headers:
        found.append((name, value) if name.lower() == "content-type" else (f"Upstash-Forward-{name}", value))
    if publish.not_before_s is not None:
        found.append(("Upstash-Not-Before", str(publish.not_before_s)))
    if publish.content_based_deduplication:
        found.append(("Upstash-Content-Based-Deduplication", "true"))
    found += _given(
        "Upstash-",
        ("Delay", _duration(publish.delay_s)),
        ("Timeout", _duration(publish.timeout_s)),
        ("Retries", _text(publish.retries)),
        ("Retry-Delay", publish.retry_delay),
        ("Deduplication-Id", publish.deduplication_id),
        ("Label", ",".join(publish.labels) or None),
        ("Redact-Fields", ",".join(publish.redact) or None),
    )
    if publish.flow_control is not None:
        found += _encode_flow_control(publish.flow_control)
    for prefix, callback in (
        ("Upstash-Callback", publish.callback),
        ("Upstash-Failure-Callback", publish.failure_callback),
    ):
        if callback is not None:
            found += _encode_callback(prefix, callback)
    return tuple(found)


def decode_options(destination: str, headers: Headers, body: bytes, query: Headers = ()) -> Publish:
    """The message that ``headers``, and options given as ``query`` parameters, ask for.

    :raises Rejected: 400, naming the header and its value.
    """
    options = _Options([*query, *headers])
    return Publish(
        destination=destination,
        body=body,
        method=options.read("upstash-method", _method) or DEFAULT_METHOD,
        headers=_forwarded(options, headers),
        delay_s=options.read("upstash-delay", parse_duration),
        not_before_s=options.read("upstash-not-before", _count),
        timeout_s=options.read("upstash-timeout", parse_duration),
        retries=options.read("upstash-retries", _count),
        retry_delay=options.text("upstash-retry-delay"),
        callback=_decode_callback(options, _CALLBACK),
        failure_callback=_decode_callback(options, _FAILURE),
        deduplication_id=options.read("upstash-deduplication-id", _deduplication_id),
        content_based_deduplication=options.read("upstash-content-based-deduplication", _flag) or False,
        labels=options.read("upstash-label", _listed) or (),
        queue=options.text("upstash-queue-name"),
        flow_control=_decode_flow_control(options),
        redact=options.read("upstash-redact-fields", _redacted) or (),
    )


def apply_overrides(publish: Publish, headers: Headers) -> Publish:
    """``publish`` with the options that ``headers`` names in place of its own, as a retry of a dead letter asks for.

    :raises Rejected: 400, naming the header and its value.
    """
    overrides = tuple((name, value) for name, value in headers if name.lower().startswith(OPTION_PREFIX))
    named = {name.lower() for name, _ in overrides}
    kept = tuple((name, value) for name, value in encode_options(publish) if name.lower() not in named)
    changed = decode_options(publish.destination, overrides + kept, publish.body)
    return replace(changed, queue=changed.queue or publish.queue)


class _Options:
    """Headers by lower-case name; the first of a name wins, empty ones are as good as none."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        self.pairs = [(name.lower(), value.strip()) for name, value in headers]
        self._first: dict[str, str] = {}
        for name, value in self.pairs:
            if value:
                self._first.setdefault(name, value)

    def text(self, name: str) -> str | None:
        return self._first.get(name)

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        value = self._first.get(name)
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise Rejected(400, texts.invalid_header(canonical(name), value, str(error))) from error


def _forwarded(options: _Options, headers: Headers) -> Headers:
    """What the destination receives: Content-Type, forwarded headers, and with Header-Forward all the others too."""
    everything = options.read("upstash-header-forward", _flag) or False
    found: list[tuple[str, str]] = []
    for name, value in headers:
        lower = name.lower()
        if lower.startswith(_FORWARD) and lower != _FORWARD:
            found.append((canonical(name[len(_FORWARD) :]), value))
        elif lower == "content-type" or (
            everything and not lower.startswith(OPTION_PREFIX) and lower not in _HOP_BY_HOP
        ):
            found.append((canonical(name), value))
    forwarded_types = [value for name, value in found if name == "Content-Type"]
    if len(forwarded_types) > 1:
        # The Python SDK forwards a content type besides the client library's own: the publisher's wish is the former.
        wish = next(
            (value for name, value in headers if name.lower() == "upstash-forward-content-type"), forwarded_types[0]
        )
        found = [("Content-Type", wish), *((name, value) for name, value in found if name != "Content-Type")]
    return tuple(found)


def _encode_flow_control(flow: FlowControl) -> list[tuple[str, str]]:
    parts = _given("", ("parallelism", _text(flow.parallelism)), ("rate", _text(flow.rate)))
    if flow.rate is not None or flow.period_s != 1:
        parts.append(("period", format_duration(flow.period_s)))
    value = ", ".join(f"{name}={part}" for name, part in parts)
    return [("Upstash-Flow-Control-Key", flow.key), ("Upstash-Flow-Control-Value", value)]


def _decode_flow_control(options: _Options) -> FlowControl | None:
    key, value = options.text("upstash-flow-control-key"), options.text("upstash-flow-control-value")
    if key is None and value is None:
        return None
    if key is None:
        raise Rejected(400, texts.invalid_header("Upstash-Flow-Control-Value", value or "", "it needs a key"))
    if value is None:
        raise Rejected(
            400, texts.invalid_header("Upstash-Flow-Control-Key", key, "it needs Upstash-Flow-Control-Value")
        )
    return options.read("upstash-flow-control-value", lambda text: _flow_control(key, text))


def _flow_control(key: str, text: str) -> FlowControl:
    limits: dict[str, int] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in {"parallelism", "rate", "period"}:
            raise ValueError(f"{part.strip()!r} is none of parallelism=n, rate=n, period=<duration>")
        limits[name] = _period(value) if name == "period" else _count(value)
        if limits[name] < 1:
            raise ValueError(f"{name} is at least 1")
    if not limits.keys() & {"parallelism", "rate"}:
        raise ValueError("it needs parallelism or rate")
    return FlowControl(key, limits.get("parallelism"), limits.get("rate"), limits.get("period", 1))


def _encode_callback(prefix: str, callback: Callback) -> list[tuple[str, str]]:
    found = [(prefix, callback.url)]
    if callback.method != DEFAULT_METHOD:
        found.append((f"{prefix}-Method", callback.method))
    found += [(f"{prefix}-Forward-{name}", value) for name, value in callback.headers]
    return found + _given(
        f"{prefix}-",
        ("Retries", _text(callback.retries)),
        ("Retry-Delay", callback.retry_delay),
        ("Timeout", _duration(callback.timeout_s)),
        ("Delay", _duration(callback.delay_s)),
    )


def _decode_callback(options: _Options, prefix: str) -> Callback | None:
    url = options.text(prefix)
    if url is None:
        return None
    if not url.startswith(("http://", "https://")):
        raise Rejected(400, texts.invalid_header(canonical(prefix), url, "add http:// or https://"))
    forward = f"{prefix}-forward-"
    return Callback(
        url=url,
        method=options.read(f"{prefix}-method", _method) or DEFAULT_METHOD,
        headers=tuple(
            (canonical(name[len(forward) :]), value) for name, value in options.pairs if name.startswith(forward)
        ),
        retries=options.read(f"{prefix}-retries", _count),
        retry_delay=options.text(f"{prefix}-retry-delay"),
        timeout_s=options.read(f"{prefix}-timeout", parse_duration),
        delay_s=options.read(f"{prefix}-delay", parse_duration),
    )


def _given(prefix: str, *named: tuple[str, str | None]) -> list[tuple[str, str]]:
    return [(prefix + name, value) for name, value in named if value is not None]


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _duration(seconds: int | None) -> str | None:
    return None if seconds is None else f"{seconds}s"


def _method(text: str) -> str:
    if text.upper() not in _METHODS:
        raise ValueError(f"it is one of {', '.join(sorted(_METHODS))}")
    return text.upper()


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ValueError("it is a whole number, 0 or more")
    return int(text)


def _period(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else parse_duration(text)


def _flag(text: str) -> bool:
    lower = text.lower()
    if lower not in _TRUE | _FALSE:
        raise ValueError("it is true or false")
    return lower in _TRUE


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _redacted(text: str) -> tuple[str, ...]:
    fields = _listed(text)
    for field in fields:
        lower = field.lower()
        named = lower.startswith(("header[", "headers[")) and lower.endswith("]") and not lower.endswith("[]")
        if lower not in {"body", "header", "headers"} and not named:
            raise ValueError(f"{field!r} is none of body, header, header[Name]")
    return fields


def _deduplication_id(text: str) -> str:
    if ":" in text:
        raise Rejected(400, texts.DEDUPLICATION_ID_HAS_COLON)
    return text
