"""What one argument of a message must look like; each fault is a SettingsError naming it and the value seen."""

from __future__ import annotations

import json as json_codec
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from qsops import retry
from qsops.errors import SettingsError
from qsops.models import Callback, FlowControl, Headers
from qsops.wire.durations import parse_duration
from qsops.wire.names import NAME_LIMIT, is_name
from qsops.wire.options.forwarding import HEADER_NAME, NOT_IN_A_VALUE
from qsops.wire.options.values import METHODS

HeadersLike = Mapping[str, str] | Sequence[tuple[str, str]]

_REDACT = re.compile(r"body|header|header\[[^\[\],]+\]")
_NOT_IN_A_URL = re.compile(r"[^\x21-\x7e]|#")


def _plain(value: Any) -> Any:
    """What frames are full of and JSON has no word for: moments, and numpy's numbers."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        return tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


# Made once: json.dumps would make an encoder anew for every body.
_encode = json_codec.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode


def destination(url: str | None, group: str | None) -> str:
    """The URL, or the name of the URL group: exactly one is given."""
    if (url is None) == (group is None):
        raise SettingsError("name one destination: either url or group")
    return http_url("url", url) if url is not None else name("group", group)


def http_url(argument: str, value: object) -> str:
    """A URL with a scheme and a host. It is sent as given, since the signature names it as given."""
    if not isinstance(value, str):
        raise SettingsError(f"{argument}: expected a URL, got {value!r}")
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not _NOT_IN_A_URL.search(value)
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"{argument}: {value!r} is no URL: it needs http:// or https:// and a host, "
            f"anything but ASCII escaped, and no #fragment"
        )
    return value


def name(argument: str, value: object) -> str:
    """A name of a queue, URL group or schedule, in the alphabet that QStash takes."""
    if not isinstance(value, str) or not is_name(value):
        raise SettingsError(
            f"{argument}: {value!r} is no name: letters, digits, '-', '_' and '.' only, at most {NAME_LIMIT}"
        )
    return value


def content(json: Any, body: bytes | str | None, headers: Headers) -> tuple[bytes, Headers]:
    """The body in bytes, and the headers with a content type where the body is JSON and none was given."""
    if json is not ... and body is not None:
        raise SettingsError("json and body are both given: give one")
    if json is ...:
        if not isinstance(body, (bytes, str, type(None))):
            raise SettingsError(f"body: expected bytes or text, got {type(body).__name__}; json= takes values")
        return _utf8("body", body) if isinstance(body, str) else body or b"", headers
    try:
        text = _encode(json)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"json: cannot be written as JSON: {error}") from error
    if any(name.lower() == "content-type" for name, _ in headers):
        return _utf8("json", text), headers
    return _utf8("json", text), (("Content-Type", "application/json"), *headers)


def _utf8(argument: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        # The error's own text would show the body.
        raise SettingsError(f"{argument}: character {error.start} is half of a surrogate pair, no text") from None


def method_name(value: object) -> str:
    """An HTTP method that QStash delivers with, in upper case."""
    method = value.upper() if isinstance(value, str) else value
    if method not in METHODS:
        raise SettingsError(f"method: {value!r} is none of {', '.join(METHODS)}")
    return str(method)


def header_pairs(argument: str, value: HeadersLike | None) -> Headers:
    """Headers for the destination; what begins with ``Upstash-`` is an option and has its own argument."""
    pairs = tuple(value.items()) if isinstance(value, Mapping) else _many(argument, value)
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise SettingsError(f"{argument}: expected a mapping, or pairs of name and value")
    for name, text in pairs:
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            raise SettingsError(f"{argument}: {name!r} is no header name")
        if name.lower().startswith("upstash-"):
            raise SettingsError(f"{argument}: {name!r} is an option of QStash: give it as the argument of that name")
        if not isinstance(text, str) or NOT_IN_A_VALUE.search(text):
            raise SettingsError(f"{argument}: the value of {name!r} must be one line of text")
    return tuple((name, text) for name, text in pairs)


def _many(argument: str, value: Any) -> tuple[Any, ...]:
    """What may be given once or several times, as several."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise SettingsError(f"{argument}: expected a text or a list, got {type(value).__name__}")
    return tuple(value)


def seconds(argument: str, value: str | float | timedelta | None) -> int | None:
    """Whole seconds; a part of a second is rounded up, so that a delay is never shorter than asked."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise SettingsError(f"{argument}: {error}") from error
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e10:
        raise SettingsError(f"{argument}: expected seconds or a text such as '1h30m', got {value!r}")
    return -int(-seconds // 1)


def unix_seconds(argument: str, value: int | datetime | None) -> int | None:
    """A moment in whole unix seconds, rounded up."""
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise SettingsError(f"{argument}: {value.isoformat()} has no time zone: give one, e.g. tzinfo=UTC")
        return -int(-value.timestamp() // 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**11:
        raise SettingsError(f"{argument}: expected unix seconds or a datetime with a zone, got {value!r}")
    return value


def count(argument: str, value: int | None) -> int | None:
    """A whole number from 0 on."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingsError(f"{argument}: expected a whole number, got {value!r}")
    return at_least(0, argument, value)


def at_least(least: int, argument: str, value: int | None) -> int | None:
    """``value``, unless it is under ``least``."""
    if value is not None and value < least:
        raise SettingsError(f"{argument}: {value} is less than {least}")
    return value


def delay_expression(value: str | None) -> str | None:
    """An expression that QStash can evaluate after a failed attempt."""
    if value is None:
        return None
    try:
        retry.compile_expression(value)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"retry_delay: {error}") from error
    return value


def callback_of(argument: str, value: str | Callback | None) -> Callback | None:
    """A callback whose URL and options hold."""
    if value is None:
        return None
    callback = value if isinstance(value, Callback) else Callback(value)
    http_url(argument, callback.url)
    method_name(callback.method)
    header_pairs(f"{argument}.headers", callback.headers)
    count(f"{argument}.retries", callback.retries)
    at_least(1, f"{argument}.timeout_s", count(f"{argument}.timeout_s", callback.timeout_s))
    if count(f"{argument}.delay_s", callback.delay_s):
        raise SettingsError(f"{argument}.delay_s: QStash refuses messages whose callbacks are delayed")
    delay_expression(callback.retry_delay)
    return callback


def one_line_id(value: str | None) -> str | None:
    """A deduplication id: QStash refuses a colon in it."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or ":" in value or NOT_IN_A_VALUE.search(value):
        raise SettingsError(f"deduplication_id: {value!r} must be a text of one line without ':'")
    return value


def label_names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """Labels; QStash joins them with commas, so none may hold one."""
    labels = _many("label", value)
    for label in labels:
        if not isinstance(label, str) or not label.strip() or "," in label or NOT_IN_A_VALUE.search(label):
            raise SettingsError(f"label: {label!r} must be a text of one line without a comma")
    return labels


def flow_limits(value: FlowControl | Mapping[str, Any] | None) -> FlowControl | None:
    """A flow-control key with at least one limit."""
    if value is None:
        return None
    try:
        flow = value if isinstance(value, FlowControl) else FlowControl(**value)
    except TypeError as error:
        raise SettingsError(f"flow_control: expected key, parallelism, rate, period_s, got {value!r}") from error
    if not isinstance(flow.key, str) or not flow.key.strip() or NOT_IN_A_VALUE.search(flow.key):
        raise SettingsError(f"flow_control: key {flow.key!r} must be a text of one line")
    if flow.parallelism is None and flow.rate is None:
        raise SettingsError(f"flow_control: key {flow.key!r} needs parallelism, rate, or both")
    for argument in ("parallelism", "rate", "period_s"):
        at_least(1, f"flow_control.{argument}", count(f"flow_control.{argument}", getattr(flow, argument)))
    return flow


def redacted_fields(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """What QStash shall keep out of its logs."""
    fields = _many("redact", value)
    for name in fields:
        if not isinstance(name, str) or not _REDACT.fullmatch(name):
            raise SettingsError(f"redact: {name!r} is none of 'body', 'header', 'header[Name]'")
    return fields
