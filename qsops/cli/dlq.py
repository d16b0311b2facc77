"""``qsops dlq``: messages that failed for good."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.consent import Yes, sure
from qsops.cli.context import session_of
from qsops.cli.logs import LABEL, SINCE, UNTIL, URL
from qsops.cli.output import AsJson, Format, Out, print_frame, print_json, print_table, watched

__all__ = ["app"]

app = typer.Typer(help="List, group, retry and delete dead letters.", no_args_is_help=True, rich_markup_mode=None)

COLUMNS = ["dlq_id", "failed_at", "message_id", "url", "label", "response_status", "max_retries"]

Since = Annotated[str | None, SINCE]
Until = Annotated[str | None, UNTIL]
Urls = Annotated[list[str] | None, URL]
Labels = Annotated[list[str] | None, LABEL]
Statuses = Annotated[
    list[int] | None, typer.Option("--status", metavar="HTTP", help="The status that decided it; may be repeated.")
]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[DLQ_ID]...", help="Ids as `qsops dlq list` prints them.")]
All = Annotated[bool, typer.Option("--all", help="Every dead letter of the account.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    status: Statuses = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most that many, the newest.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How rows are written.")] = Format.table,
    out: Out = None,
    json: AsJson = False,
) -> None:
    """List dead letters, newest first.

    \b
    Examples:
      qsops dlq list --since 24h
      qsops --target env dlq list --status 500 --json
    """
    with session_of(ctx) as session:
        frame = session.dlq.list(
            since, until, url=url or None, label=label or None, response_status=status or None, limit=limit
        )
    print_frame(frame, Format.json if json else form, columns=COLUMNS, out=out)


@app.command()
def show(
    ctx: typer.Context,
    dlq_id: Annotated[str, typer.Argument(metavar="DLQ_ID", help="As `qsops dlq list` prints it.")],
    json: AsJson = False,
) -> None:
    """Show one dead letter: the message, and the answer that decided it.

    \b
    Example:
      qsops dlq show 1767225600000-0
    """
    with session_of(ctx) as session:
        letter = session.dlq.get(dlq_id)
    message = letter.message
    shown = {
        "dlq_id": letter.dlq_id,
        "message_id": message.message_id,
        "url": message.url,
        "method": message.method,
        "labels": ", ".join(message.labels),
        "max_retries": str(message.max_retries),
        "body": message.body.decode(errors="replace"),
        "response_status": str(letter.response_status or "no answer"),
        "response_body": letter.response_body.decode(errors="replace"),
    }
    if json:
        print_json(shown)
    else:
        print_table(["field", "value"], [[name, value] for name, value in shown.items() if value])


@app.command()
def groups(ctx: typer.Context, since: Since = None, until: Until = None, json: AsJson = False) -> None:
    """Count dead letters by destination, label and status.

    \b
    Example:
      qsops dlq groups --since 7d
    """
    with session_of(ctx) as session:
        frame = session.dlq.list(since, until)
    counted = (
        frame.groupby(["url", "label", "response_status"], dropna=False, as_index=False)
        .agg(count=("dlq_id", "size"), oldest=("failed_at", "min"), newest=("failed_at", "max"))
        .sort_values(["count", "url"], ascending=[False, True])
    )
    print_frame(counted, Format.json if json else Format.table)


@app.command()
def retry(
    ctx: typer.Context,
    ids: Ids = None,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    status: Statuses = None,
    everything: All = False,
    json: AsJson = False,
) -> None:
    """Publish dead letters anew, as new messages. Exit status 1 when one was refused.

    \b
    Examples:
      qsops dlq retry 1767225600000-0
      qsops --target env --write dlq retry --url https://api.example.com/hook --status 503
    """
    with session_of(ctx) as session:
        frame = session.dlq.retry(
            ids or None,
            since=since,
            until=until,
            url=url or None,
            label=label or None,
            response_status=status or None,
            all=everything,
            progress=watched(),
        )
    print_frame(frame, Format.json if json else Format.table)
    if frame["error"].notna().any():
        raise typer.Exit(1)


@app.command()
def delete(
    ctx: typer.Context,
    ids: Ids = None,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    status: Statuses = None,
    everything: All = False,
    yes: Yes = False,
) -> None:
    """Drop dead letters for good.

    \b
    Examples:
      qsops dlq delete 1767225600000-0 --yes
      qsops --target env --write dlq delete --label test --yes
    """
    sure("dlq delete", "qsops dlq list", yes)
    with session_of(ctx) as session:
        count = session.dlq.delete(
            ids or None,
            since=since,
            until=until,
            url=url or None,
            label=label or None,
            response_status=status or None,
            all=everything,
        )
    typer.echo(f"{count} deleted")
