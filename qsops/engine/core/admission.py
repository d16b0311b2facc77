"""Is a publish well formed, and within the plan? Pure: nothing is stored here."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from qsops import retry
from qsops.engine.plans import Plan
from qsops.engine.texts import DELAYED_CALLBACK, unusable_url
from qsops.errors import Rejected
from qsops.models import DEFAULT_RETRIES, Callback, Message, Publish
from qsops.wire import texts
from qsops.wire.http import spelled

__all__ = ["admit", "check_size"]

_SCHEMES: Final = ("http", "https")
_GROUP_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
#: Nothing in a destination may end the request line, or hide in it.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_URL_LIMIT: Final = 8_000


def admit(publish: Publish, plan: Plan, *, message_id: str, now_ms: int, caller_ip: str) -> Message:
    """The message that ``publish`` asks for.

    :raises Rejected: 400 or 404 for a destination, expression or callback that cannot work, 412 over a limit of
        ``plan``, 501 for an option that is not served; the text names the value.
    """
    _check_options(publish)
    _check_destination(publish.destination)
    _check_callbacks(publish, plan)
    _check_expression("Upstash-Retry-Delay", publish.retry_delay)
    not_before_ms = _not_before_ms(publish, now_ms)
    _check_quota(publish, plan, (not_before_ms - now_ms) / 1000)
    return Message(
        message_id=message_id,
        # The signature names the URL that its receiver will see.
        url=spelled(publish.destination),
        created_at_ms=now_ms,
        not_before_ms=not_before_ms,
        max_retries=DEFAULT_RETRIES if publish.retries is None else publish.retries,
        method=publish.method,
        headers=publish.headers,
        body=publish.body,
        caller_ip=caller_ip,
        labels=publish.labels,
        retry_delay=publish.retry_delay,
        timeout_s=publish.timeout_s,
        callback=_as_called(publish.callback),
        failure_callback=_as_called(publish.failure_callback),
        redact=publish.redact,
    )


def _as_called(callback: Callback | None) -> Callback | None:
    return callback and replace(callback, url=spelled(callback.url))


def check_size(publish: Publish, plan: Plan) -> None:
    """Hold a new body to ``plan``; one that the engine has taken or made before, as a callback's, may be larger.

    :raises Rejected: 413.
    """
    if len(publish.body) > plan.message_bytes:
        raise Rejected(413, texts.quota_exceeded("maxMessageSize", plan.message_bytes))


def _check_options(publish: Publish) -> None:
    """What is not served is refused: a rehearsal must not promise an order or a limit that does not hold."""
    if publish.queue is not None:
        raise Rejected(501, texts.not_served("enqueueing"))
    if publish.flow_control is not None:
        raise Rejected(501, texts.not_served("Upstash-Flow-Control-Key"))


def _check_destination(url: str) -> None:
    if "://" not in url and _GROUP_NAME.fullmatch(url):
        raise Rejected(404, texts.url_group_not_found(url))
    why = _fault(url)
    if why is not None:
        raise Rejected(400, why)


def _fault(url: str) -> str | None:
    """Why nothing can be sent to ``url``."""
    if len(url) > _URL_LIMIT:
        return unusable_url(f"it has over {_URL_LIMIT} characters")
    if _UNPRINTABLE.search(url):
        return unusable_url("it holds a space or an unprintable character, write it percent-encoded")
    try:
        place = urlsplit(url)
        host, port = place.hostname, place.port
    except ValueError as error:
        return unusable_url(str(error))
    if place.scheme not in _SCHEMES:
        return texts.INVALID_SCHEME
    return None if host and port != 0 else unusable_url("it names no host, or port 0")


def _check_callbacks(publish: Publish, plan: Plan) -> None:
    named = (("Upstash-Callback", publish.callback), ("Upstash-Failure-Callback", publish.failure_callback))
    for name, callback in named:
        if callback is not None:
            _check_callback(name, callback)
            _check_limits(plan, retries=callback.retries, timeout_s=callback.timeout_s)


def _check_callback(name: str, callback: Callback) -> None:
    why = _fault(callback.url)
    if why is not None:
        raise Rejected(400, texts.invalid_header(name, callback.url, why))
    if callback.delay_s:  # refused by the service since March 2025 (reference, section 3)
        raise Rejected(400, DELAYED_CALLBACK)
    _check_expression(f"{name}-Retry-Delay", callback.retry_delay)


def _check_expression(name: str, text: str | None) -> None:
    if text is None:
        return
    try:
        retry.compile_expression(text)
    except ValueError as error:
        raise Rejected(400, texts.invalid_header(name, text, str(error))) from error


def _not_before_ms(publish: Publish, now_ms: int) -> int:
    if publish.not_before_s is not None:  # a delay is ignored then (reference, section 3)
        return max(now_ms, publish.not_before_s * 1000)
    return now_ms + (publish.delay_s or 0) * 1000


def _check_quota(publish: Publish, plan: Plan, delay_s: float) -> None:
    _check_limits(plan, delay_s=delay_s, retries=publish.retries, timeout_s=publish.timeout_s)


def _check_limits(plan: Plan, *, retries: int | None, timeout_s: int | None, delay_s: float = 0) -> None:
    asked = {
        "maxDelay": (delay_s, plan.delay_s),
        "maxRetries": (retries or 0, plan.retries),
        "maxTimeout": (timeout_s or 0, plan.response_s),
    }
    for name, (value, limit) in asked.items():
        if value > limit:
            raise Rejected(412, texts.quota_exceeded(name, limit))
