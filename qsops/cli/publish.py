"""``qsops publish`` and ``qsops publish-many``: send one, or a file of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qsops.cli.context import session_of
from qsops.cli.output import AsJson, Format, print_frame, watched
from qsops.errors import Rejected, SettingsError

if TYPE_CHECKING:
    from qsops.models import FlowControl, Receipt

__all__ = [
    "Callback",
    "Delay",
    "FailureCallback",
    "Flow",
    "Group",
    "Header",
    "Label",
    "Method",
    "Queue",
    "Retries",
    "RetryDelay",
    "Timeout",
    "flow_control",
    "given",
    "header_pairs",
    "parsed",
    "publish",
    "publish_many",
]

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


def publish(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Argument(help="Where it is delivered.")] = None,
    json: Annotated[str | None, typer.Option("--json", metavar="JSON", help="The body, as JSON.")] = None,
    body: Annotated[str | None, typer.Option(help="The body, as it is; - reads stdin.")] = None,
    group: Group = None,
    queue: Queue = None,
    delay: Delay = None,
    not_before: Annotated[int | None, typer.Option(metavar="UNIX_S", help="Deliver no sooner than that.")] = None,
    retries: Retries = None,
    retry_delay: RetryDelay = None,
    timeout: Timeout = None,
    callback: Callback = None,
    failure_callback: FailureCallback = None,
    deduplication_id: Annotated[str | None, typer.Option(metavar="ID", help="Sent once within ten minutes.")] = None,
    label: Label = None,
    flow: Flow = None,
    header: Header = None,
    method: Method = "POST",
) -> None:
    """Publish one message, and print its id.

    \b
    Examples:
      qsops publish http://127.0.0.1:3000/hook --json '{"hello": "👋"}' --retry-delay 1000
      qsops --target env --write publish https://api.example.com/hook --body - --delay 5m < order.txt
    """
    options = given(
        queue=queue,
        delay=delay,
        not_before=not_before,
        retries=retries,
        retry_delay=retry_delay,
        timeout=timeout,
        callback=callback,
        failure_callback=failure_callback,
        deduplication_id=deduplication_id,
        label=label or None,
        flow_control=flow_control(flow),
        headers=header_pairs(header or []) or None,
        body=sys.stdin.buffer.read() if body == "-" else body,
        **({} if json is None else {"json": parsed(json)}),
    )
    with session_of(ctx) as session:
        send: Callable[..., Receipt | list[Receipt]] = session.publish
        told = send(url, group=group, method=method, **options)
    for receipt in told if isinstance(told, list) else [told]:
        typer.echo(f"{receipt.message_id}{'  (deduplicated: was accepted before)' if receipt.deduplicated else ''}")


def publish_many(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSONL, CSV or parquet: a row a message.")],
    url: Annotated[str | None, typer.Option(help="The destination that all rows share.")] = None,
    group: Group = None,
    key: Annotated[
        str, typer.Option(metavar="COLUMN", help="What names a row; by it an interrupted call resumes.")
    ] = "key",
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What was taken so far; default: a file under .qsops/publish.")
    ] = None,
    resend_unknown: Annotated[
        bool, typer.Option("--resend-unknown", help="Send again what may have been taken when an answer was lost.")
    ] = False,
    queue: Queue = None,
    delay: Delay = None,
    retries: Retries = None,
    retry_delay: RetryDelay = None,
    timeout: Timeout = None,
    callback: Callback = None,
    failure_callback: FailureCallback = None,
    label: Label = None,
    flow: Flow = None,
    header: Header = None,
    form: Annotated[Format, typer.Option("--format", help="How the outcomes are written.")] = Format.table,
    as_json: AsJson = False,
) -> None:
    """Publish each row of a file; the same call resumes by key.

    Rows go in batches, with progress. A column named as an option of `publish` is that option; the rest of
    a row is its JSON body. Exit status 1 when a row was refused.

    \b
    Examples:
      qsops publish-many orders.jsonl --url https://api.example.com/hook --key order_id
      qsops --target env --write publish-many events.csv --key id --format csv > outcomes.csv
    """
    options = given(
        url=url,
        group=group,
        queue=queue,
        delay=delay,
        retries=retries,
        retry_delay=retry_delay,
        timeout=timeout,
        callback=callback,
        failure_callback=failure_callback,
        label=label or None,
        flow_control=flow_control(flow),
        headers=header_pairs(header or []) or None,
    )
    with session_of(ctx) as session:
        try:
            outcomes = session.publish_many(
                file, key=key, journal=journal, resend_unknown=resend_unknown, progress=watched(), **options
            )
        except KeyboardInterrupt:
            typer.echo("stopped: what was sent is in the journal, and the same call goes on from there", err=True)
            raise
    print_frame(outcomes, Format.json if as_json else form)
    refused = int(outcomes["error"].notna().sum())
    if refused:
        typer.echo(f"{refused} of {len(outcomes)} rows were not taken: the column error says why", err=True)
        raise typer.Exit(1)


def given(**options: Any) -> dict[str, Any]:
    """What was said of ``options``."""
    return {name: value for name, value in options.items() if value is not None}


def flow_control(text: str | None) -> FlowControl | None:
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


def parsed(text: str) -> Any:
    """The value of ``--json``.

    :raises SettingsError: it is no JSON.
    """
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise SettingsError(f"--json is no JSON: {error}") from error
