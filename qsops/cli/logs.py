"""``qsops logs``: what QStash remembers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qsops.cli.context import session_of
from qsops.cli.following import follow_logs
from qsops.cli.output import AsJson, Format, Out, print_frame, watched

__all__ = ["LABEL", "SINCE", "UNTIL", "URL", "logs"]

#: Of a log entry's columns, those that tell the story; the rest is in the other formats.
COLUMNS = ["time", "message_id", "state", "url", "labels", "response_status", "error", "next_delivery_at"]

SINCE = typer.Option(metavar="WHEN", help="A span back from now (1h, 2d12h) or an ISO date, UTC.")
UNTIL = typer.Option(metavar="WHEN", help="The same; default now.")
URL = typer.Option(metavar="URL", help="A destination; may be repeated.")
LABEL = typer.Option(metavar="LABEL", help="A label; may be repeated.")


def logs(
    ctx: typer.Context,
    since: Annotated[str | None, SINCE] = None,
    until: Annotated[str | None, UNTIL] = None,
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help="CREATED, ERROR, DELIVERED, FAILED, …; may be repeated.")
    ] = None,
    url: Annotated[list[str] | None, URL] = None,
    label: Annotated[list[str] | None, LABEL] = None,
    message_id: Annotated[list[str] | None, typer.Option(metavar="ID", help="A message; may be repeated.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing what comes, until Ctrl-C.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How rows are written.")] = Format.table,
    out: Out = None,
    json: AsJson = False,
) -> None:
    """List log entries, one a state of a message.

    \b
    Examples:
      qsops logs --since 1h --state FAILED --state ERROR
      qsops logs --follow
      qsops --target env logs --since 24h --format parquet --out logs.parquet
    """
    form = Format.json if json else form
    which: dict[str, Any] = {
        "state": state or None,
        "url": url or None,
        "label": label or None,
        "message_id": message_id or None,
    }
    with session_of(ctx) as session:
        if follow:
            follow_logs(session, since, form, out, COLUMNS, until=until, **which)
            return
        frame = session.logs(since, until, progress=watched(), **which)
    print_frame(frame, form, columns=COLUMNS, out=out)
