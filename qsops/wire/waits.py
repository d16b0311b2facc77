"""What a wait asks for: the body that names who is told, until when, and whom a timeout is told instead."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from qsops.errors import Rejected
from qsops.models import Headers, Step, WaitSpec
from qsops.wire import texts
from qsops.wire.fields import asked_text, asked_url, asked_whole, body_object, needed_text
from qsops.wire.http import canonical, header
from qsops.wire.names import ID_LIMIT
from qsops.wire.options.forwarding import HEADER_NAME, NOT_IN_A_VALUE
from qsops.wire.options.reading import OPTION_PREFIX
from qsops.wire.options.values import decode_duration

__all__ = ["DEFAULT_TIMEOUT_S", "RUN_ID", "checked_event", "decode_wait", "kept_headers"]

RUN_ID: Final = "Upstash-Workflow-RunId"
#: Seven days, where a wait names no timeout (Workflow's page of ``context.waitForEvent``).
DEFAULT_TIMEOUT_S: Final = 7 * 86_400

_CONTENT_TYPE: Final = "content-type"
_TELEMETRY: Final = "upstash-telemetry-"


def checked_event(event: str) -> str:
    """``event``, if it can be the id of one, or of a workflow's run.

    :raises Rejected: 400.
    """
    if not event or len(event) > ID_LIMIT:
        raise Rejected(400, texts.invalid_event(event, ID_LIMIT))
    return event


def kept_headers(headers: Headers) -> Headers:
    """Of the headers of a request, those under which the event is published: options, and the content type."""
    return tuple(
        (canonical(name), value.strip())
        for name, value in headers
        if (lowered := name.lower()) == _CONTENT_TYPE
        or (lowered.startswith(OPTION_PREFIX) and not lowered.startswith(_TELEMETRY))
    )


def decode_wait(event: str, headers: Headers, body: bytes) -> WaitSpec:
    """The wait for ``event`` that ``body`` asks for; the run's id is among ``headers``, or among the timeout's.

    :raises Rejected: 400, naming the field and its value.
    """
    fields = body_object(body)
    timeout_headers = _headers(fields.get("timeoutHeaders"))
    url = asked_url(fields, "url")
    if url is None:
        raise Rejected(400, texts.invalid_field("url", fields.get("url"), "it is who is told of the event"))
    return WaitSpec(
        event=event,
        url=url,
        timeout_s=_timeout_s(fields),
        headers=tuple((name, value) for name, value in headers if name.lower() != RUN_ID.lower()),
        timeout_url=asked_url(fields, "timeoutUrl"),
        timeout_body=_bytes(fields, "timeoutBody"),
        timeout_headers=timeout_headers,
        run_id=header(headers, RUN_ID) or header(timeout_headers, RUN_ID),
        step=_step(fields.get("step")),
    )


def _timeout_s(fields: Mapping[str, Any]) -> int:
    """A duration, or a number of seconds."""
    value = fields.get("timeout")
    if isinstance(value, int):
        return asked_whole(fields, "timeout", least=1) or DEFAULT_TIMEOUT_S
    duration = asked_text(fields, "timeout")
    try:
        seconds = DEFAULT_TIMEOUT_S if duration is None else decode_duration(duration)
    except ValueError as error:
        raise Rejected(400, texts.invalid_field("timeout", value, str(error))) from error
    if seconds < 1:
        raise Rejected(400, texts.invalid_field("timeout", value, "it is at least a second"))
    return seconds


def _bytes(fields: Mapping[str, Any], name: str) -> bytes | None:
    value = asked_text(fields, name)
    if value is None:
        return None
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Rejected(400, texts.invalid_field(name, value, "it is base64")) from error


def _headers(value: Any) -> Headers:
    if not isinstance(value, Mapping | None):
        raise Rejected(400, texts.invalid_field("timeoutHeaders", value, "it is an object of header names and values"))
    pairs = [
        (name, one) for name, many in (value or {}).items() for one in (many if isinstance(many, list) else [many])
    ]
    for name, one in pairs:
        if not isinstance(one, str) or not HEADER_NAME.fullmatch(name) or NOT_IN_A_VALUE.search(one):
            raise Rejected(
                400, texts.invalid_header(ascii(name), ascii(one), "each is a name, and a list of one line each")
            )
    return tuple((name, one.strip()) for name, one in pairs)


def _step(value: Any) -> Step | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Rejected(400, texts.invalid_field("step", value, "it is an object"))
    return Step(
        step_id=asked_whole(value, "stepId") or 0,
        step_type=needed_text(value, "stepType"),
        step_name=needed_text(value, "stepName"),
        concurrent=asked_whole(value, "concurrent", least=1) or 1,
        target_step=asked_whole(value, "targetStep"),
    )
