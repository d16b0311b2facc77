"""``qsops queues``: messages that are delivered in their order."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.consent import Yes, sure
from qsops.cli.context import session_of
from qsops.cli.output import AsJson, Format, print_frame, print_record

__all__ = ["app"]

app = typer.Typer(help="List, make, pause and delete queues.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `qsops queues list` prints it.")]


@app.command("list")
def list_(ctx: typer.Context, json: AsJson = False) -> None:
    """List queues, and how many messages wait in each.

    \b
    Example:
      qsops queues list
    """
    with session_of(ctx) as session:
        frame = session.queues.list()
    print_frame(frame, Format.json if json else Format.table)


@app.command()
def show(ctx: typer.Context, name: Name, json: AsJson = False) -> None:
    """Show one queue.

    \b
    Example:
      qsops queues show orders
    """
    from qsops.catalog import queues

    with session_of(ctx) as session:
        queue = session.queues.get(name)
    print_record(queues.frame([queue]), as_json=json)


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '-', '_' and '.'.")],
    parallelism: Annotated[
        int | None, typer.Option(min=1, help="Messages at a time; 1, which a new queue has, keeps their order.")
    ] = None,
    paused: Annotated[bool | None, typer.Option("--paused/--running", help="Whether it holds its messages.")] = None,
) -> None:
    """Make a queue, or change of it what is named.

    \b
    Example:
      qsops queues create orders --parallelism 1
    """
    with session_of(ctx) as session:
        session.queues.upsert(name, parallelism=parallelism, paused=paused)
    typer.echo(f"queue {name} is set up")


@app.command()
def pause(ctx: typer.Context, name: Name) -> None:
    """Hold its messages; new ones are taken and wait.

    \b
    Example:
      qsops --target env --write queues pause orders
    """
    with session_of(ctx) as session:
        session.queues.pause(name)
    typer.echo(f"queue {name} is paused")


@app.command()
def resume(ctx: typer.Context, name: Name) -> None:
    """Go on with its earliest message.

    \b
    Example:
      qsops --target env --write queues resume orders
    """
    with session_of(ctx) as session:
        session.queues.resume(name)
    typer.echo(f"queue {name} goes on")


@app.command()
def delete(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """Drop a queue. QStash does not say what becomes of messages in it.

    \b
    Example:
      qsops queues delete orders --yes
    """
    sure("queues delete", "qsops queues show NAME", yes)
    with session_of(ctx) as session:
        session.queues.delete(name)
    typer.echo(f"queue {name} is deleted")
