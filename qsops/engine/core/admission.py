"""Is a publish well formed, and within the plan? Pure: nothing is stored here.

Most of what is checked comes again with each message of a publisher, so it is checked once and remembered by value.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from qsops.engine.core.bounds import check_headers
from qsops.engine.plans import Plan
from qsops.engine.texts import DELAYED_CALLBACK, LLM_IS_GONE, unusable_url
from qsops.errors import Rejected
from qsops.models import DEFAULT_RETRIES, Callback, Endpoint, Message, Publish
from qsops.wire import texts
from qsops.wire.http import spelled
from qsops.wire.names import is_name

__all__ = ["admit", "check_destination", "check_size"]

_SCHEMES: Final = ("http", "https")
_NO_SCHEME: Final = "it is neither http:// nor https://"
#: Where the hosted LLM was: neither a URL nor the name of a group.
_LLM: Final = "api/llm"
#: Nothing in a destination may end the request line, or hide in it.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_URL_LIMIT: Final = 8_000
#: What nearly every URL looks like: nothing in it needs a closer look, or another spelling. No host is longer.
_PLAIN: Final = re.compile(r"https?://[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,9}(?:/[!-\"$-~]{0,2000})?")
_KEPT: Final = 1_024


def admit(
    publish: Publish,
    plan: Plan,
    *,
    message_id: str,
    now_ms: int,
    caller_ip: str | None,
    endpoint: Endpoint | None = None,
    schedule_id: str | None = None,
) -> Message:
    """The message that ``publish`` asks for; with ``endpoint``, the one for that endpoint of the group it names.

    :raises Rejected: 400, 404 or 410 for a destination or callback that cannot work, 412 over a limit of
        ``plan``, 431 over those of headers; the text names the value.
    """
    url = check_destination(publish.destination if endpoint is None else endpoint.url)
    callback = _reported("Upstash-Callback", publish.callback, plan)
    failure_callback = _reported("Upstash-Failure-Callback", publish.failure_callback, plan)
    not_before_ms = _not_before_ms(publish, now_ms)
    _check_limits(plan, publish.retries, publish.timeout_s, (not_before_ms - now_ms) / 1000)
    check_headers(publish)
    return Message(
        message_id=message_id,
        url=url,
        created_at_ms=now_ms,
        not_before_ms=not_before_ms,
        max_retries=DEFAULT_RETRIES if publish.retries is None else publish.retries,
        method=publish.method,
        headers=publish.headers,
        body=publish.body,
        url_group=None if endpoint is None else publish.destination,
        endpoint=None if endpoint is None else endpoint.name,
        queue=publish.queue,
        schedule_id=schedule_id,
        caller_ip=caller_ip,
        labels=publish.labels,
        flow_control=publish.flow_control,
        retry_delay=publish.retry_delay,
        timeout_s=publish.timeout_s,
        callback=callback,
        failure_callback=failure_callback,
        redact=publish.redact,
    )


def check_size(publish: Publish, plan: Plan) -> None:
    """Hold a new body to ``plan``; one that the engine has taken or made before, as a callback's, may be larger.

    :raises Rejected: 413.
    """
    if len(publish.body) > plan.message_bytes:
        raise Rejected(413, texts.quota_exceeded("maxMessageSize", plan.message_bytes))


@lru_cache(_KEPT)
def check_destination(url: str) -> str:
    """``url`` as it is called and signed: the signature names the URL that its receiver will see.

    :raises Rejected: 400 for one that nothing can be sent to, 404 for a name where there is no such URL group, 410 for
        the hosted LLM.
    """
    if _PLAIN.fullmatch(url):
        return url
    if "://" not in url and is_name(url):
        raise Rejected(404, texts.url_group_not_found(url))
    if unquote(url.partition("?")[0]).rstrip("/") == _LLM:
        raise Rejected(410, LLM_IS_GONE)
    why = _fault(url)
    if why is not None:
        raise Rejected(400, texts.INVALID_SCHEME if why == _NO_SCHEME else unusable_url(url, why))
    return spelled(url)


def _fault(url: str) -> str | None:
    """Why nothing can be sent to ``url``."""
    if len(url) > _URL_LIMIT:
        return f"it has over {_URL_LIMIT} characters"
    if _UNPRINTABLE.search(url):
        return "it holds a space or an unprintable character, write it percent-encoded"
    try:
        place = urlsplit(url)
        host, port = place.hostname, place.port
    except ValueError as error:
        return str(error)
    if place.scheme not in _SCHEMES:
        return _NO_SCHEME
    return None if host and port != 0 else "it names no host, or port 0"


def _reported(name: str, callback: Callback | None, plan: Plan) -> Callback | None:
    """Where and how an outcome is reported, if ``plan`` allows it."""
    if callback is None:
        return None
    _check_limits(plan, callback.retries, callback.timeout_s)
    return _as_called(name, callback)


@lru_cache(_KEPT)
def _as_called(name: str, callback: Callback) -> Callback:
    why = _fault(callback.url)
    if why is not None:
        raise Rejected(400, texts.invalid_header(name, callback.url, why))
    if callback.delay_s:  # refused by the service since March 2025 (reference, section 3)
        raise Rejected(400, DELAYED_CALLBACK)
    return msgspec.structs.replace(callback, url=spelled(callback.url))


def _not_before_ms(publish: Publish, now_ms: int) -> int:
    if publish.not_before_s is not None:  # a delay is ignored then (reference, section 3)
        return max(now_ms, publish.not_before_s * 1000)
    return now_ms + (publish.delay_s or 0) * 1000


def _check_limits(plan: Plan, retries: int | None, timeout_s: int | None, delay_s: float = 0) -> None:
    if delay_s > plan.delay_s:
        raise Rejected(412, texts.quota_exceeded("maxDelay", plan.delay_s))
    if retries is not None and retries > plan.retries:
        raise Rejected(412, texts.quota_exceeded("maxRetries", plan.retries))
    if timeout_s is not None and timeout_s > plan.response_s:
        raise Rejected(412, texts.quota_exceeded("maxTimeout", plan.response_s))
