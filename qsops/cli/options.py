"""The options of a message as they are typed, for each verb that sends or schedules some."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qsops.errors import Rejected, SettingsError

if TYPE_CHECKING:
    from qsops.models import FlowControl

__all__ = [
    "Body",
    "Callback",
    "Delay",
    "FailureCallback",
    "Flow",
    "Group",
    "Header",
    "Json",
    "Label",
    "Method",
    "Queue",
    "Retries",
    "RetryDelay",
    "Timeout",
    "header_pairs",
    "message_options",
]

Json = Annotated[str | None, typer.Option("--json", metavar="JSON", help="The body, as JSON.")]
Body = Annotated[str | None, typer.Option(help="The body, as it is; - reads stdin.")]
Queue = Annotated[str | None, typer.Option(metavar="NAME", help="Enqueue there instead.")]
Delay = Annotated[str | None, typer.Option(metavar="SPAN", help="Deliver no sooner than that from now, e.g. 30s, 2h.")]
Retries = Annotated[int | None, typer.Option(min=0, help="How often to try again.")]
RetryDelay = Annotated[
    str | None, typer.Option(metavar="EXPRESSION", help="Milliseconds over `retried`, e.g. 'pow(2, retried) * 1000'.")
]
Timeout = Annotated[str | None, typer.Option(metavar="SPAN", help="How long an answer may take.")]
Callback = Annotated[str | None, typer.Option(metavar="URL", help="Report each outcome there.")]
FailureCallback = Annotated[str | None, typer.Option(metavar="URL", help="Report the final failure there.")]
Label = Annotated[list[str] | None, typer.Option(metavar="LABEL", help="A label; may be repeated.")]
Header = Annotated[
    list[str] | None, typer.Option("--header", "-H", metavar="NAME:VALUE", help="Forward a header; may be repeated.")
]
Flow = Annotated[
    str | None,
    typer.Option(metavar="KEY:LIMITS", help="Flow control, e.g. 'meta:parallelism=5,rate=100,period=1m'."),
]
Method = Annotated[str, typer.Option(help="The method of the delivery.")]
Group = Annotated[str | None, typer.Option(metavar="NAME", help="A URL group instead of a URL.")]


def message_options(
    *,
    label: list[str] | None,
    flow: str | None,
    header: list[str] | None,
    json: str | None = None,
    body: str | None = None,
    **others: Any,
) -> dict[str, Any]:
    """What was typed, as arguments of ``session.publish``; what was not is left out.

    :raises SettingsError: a value cannot be read, naming its option.
    """
    options = {
        "label": label or None,
        "flow_control": _flow_control(flow),
        "headers": header_pairs(header or []) or None,
        "body": sys.stdin.buffer.read() if body == "-" else body,
        **others,
    }
    given = {name: value for name, value in options.items() if value is not None}
    # The JSON null is a body.
    return given if json is None else {**given, "json": _parsed(json)}


def header_pairs(lines: list[str]) -> list[tuple[str, str]]:
    """``Name: value`` lines as pairs.

    :raises SettingsError: one has no colon.
    """
    pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    for line in lines:
        if ":" not in line:
            # A value may be a secret: what has no name is not repeated.
            raise SettingsError("--header: write it as 'Name: value'")
    return pairs


def _flow_control(text: str | None) -> FlowControl | None:
    """The value of ``--flow``; a key may hold a colon, its limits none.

    :raises SettingsError: it is no key and limits.
    """
    if text is None:
        return None
    from qsops.wire.options.values import decode_flow_limits

    key, _, limits = text.rpartition(":")
    try:
        return decode_flow_limits(key, limits)
    except (ValueError, Rejected) as error:
        raise SettingsError(f"--flow {text!r}: {error}") from error


def _parsed(text: str) -> Any:
    """The value of ``--json``.

    :raises SettingsError: it is no JSON.
    """
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise SettingsError(f"--json is no JSON: {error}") from error
