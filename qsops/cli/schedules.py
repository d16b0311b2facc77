"""``qsops schedules``: messages that are published anew each time that a cron falls due."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.consent import Yes, sure
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
from qsops.cli.output import AsJson, Format, print_frame, print_record

__all__ = ["app"]

app = typer.Typer(help="List, make, pause and delete schedules.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `qsops schedules list` prints it.")]


@app.command("list")
def list_(ctx: typer.Context, json: AsJson = False) -> None:
    """List schedules: when each runs, and what became of its latest run.

    \b
    Example:
      qsops schedules list
    """
    with session_of(ctx) as session:
        frame = session.schedules.list()
    print_frame(frame, Format.json if json else Format.table)


@app.command()
def show(ctx: typer.Context, schedule_id: Id, json: AsJson = False) -> None:
    """Show one schedule, with the body that it sends.

    \b
    Example:
      qsops schedules show nightly
    """
    from qsops.catalog import schedules

    with session_of(ctx) as session:
        schedule = session.schedules.get(schedule_id)
    frame = schedules.frame([schedule]).assign(body=schedule.publish.body.decode(errors="replace") or None)
    print_record(frame, as_json=json)


@app.command()
def create(
    ctx: typer.Context,
    cron: Annotated[str, typer.Argument(metavar="CRON", help="Five fields, in UTC unless CRON_TZ=ZONE stands before.")],
    url: Annotated[str | None, typer.Argument(help="Where each message is delivered.")] = None,
    schedule_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Its id: one that has it is replaced whole.")
    ] = None,
    json: Json = None,
    body: Body = None,
    group: Group = None,
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
    method: Method = "POST",
) -> None:
    """Make a schedule, or replace the one that has the id: its id.

    \b
    Examples:
      qsops schedules create '*/5 * * * *' https://api.example.com/tick
      qsops schedules create 'CRON_TZ=Europe/Berlin 0 6 * * MON-FRI' https://api.example.com/report --id report
    """
    options = message_options(
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
        json=json,
        body=body,
    )
    with session_of(ctx) as session:
        made = session.schedules.upsert(cron, url, group=group, schedule_id=schedule_id, method=method, **options)
    typer.echo(made)


@app.command()
def pause(ctx: typer.Context, schedule_id: Id) -> None:
    """Skip what falls due from now on: it is not made up for.

    \b
    Example:
      qsops --target env --write schedules pause nightly
    """
    with session_of(ctx) as session:
        session.schedules.pause(schedule_id)
    typer.echo(f"schedule {schedule_id} is paused")


@app.command()
def resume(ctx: typer.Context, schedule_id: Id) -> None:
    """Go on with what falls due next.

    \b
    Example:
      qsops --target env --write schedules resume nightly
    """
    with session_of(ctx) as session:
        session.schedules.resume(schedule_id)
    typer.echo(f"schedule {schedule_id} goes on")


@app.command()
def delete(ctx: typer.Context, schedule_id: Id, yes: Yes = False) -> None:
    """Drop a schedule; messages that it has published go on.

    \b
    Example:
      qsops schedules delete nightly --yes
    """
    sure("schedules delete", "qsops schedules show ID", yes)
    with session_of(ctx) as session:
        session.schedules.delete(schedule_id)
    typer.echo(f"schedule {schedule_id} is deleted")
