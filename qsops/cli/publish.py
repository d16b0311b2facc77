"""``qsops publish`` and ``qsops publish-many``: send one, or a file of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qsops.cli.context import session_of
from qsops.cli.options import (
    Body,
    Callback,
    Delay,
    FailureCallback,
    Flow,
    Group,
    Header,
    Json,
    Label,
    Method,
    Queue,
    Retries,
    RetryDelay,
    Timeout,
    message_options,
)
from qsops.cli.output import AsJson, Format, print_frame, watched

if TYPE_CHECKING:
    from qsops.models import Receipt

__all__ = ["publish", "publish_many"]


def publish(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Argument(help="Where it is delivered.")] = None,
    json: Json = None,
    body: Body = None,
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
    options = message_options(
        queue=queue,
        delay=delay,
        not_before=not_before,
        retries=retries,
        retry_delay=retry_delay,
        timeout=timeout,
        callback=callback,
        failure_callback=failure_callback,
        deduplication_id=deduplication_id,
        label=label,
        flow=flow,
        header=header,
        json=json,
        body=body,
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
    options = message_options(
        url=url,
        group=group,
        queue=queue,
        delay=delay,
        retries=retries,
        retry_delay=retry_delay,
        timeout=timeout,
        callback=callback,
        failure_callback=failure_callback,
        label=label,
        flow=flow,
        header=header,
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
