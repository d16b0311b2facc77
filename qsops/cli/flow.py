"""``qsops flow``: flow-control keys, whose limits hold across all destinations."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.context import session_of
from qsops.cli.output import AsJson, Format, print_frame, print_json, print_record, print_table

__all__ = ["app"]

app = typer.Typer(help="List, pause and pin flow-control keys.", no_args_is_help=True, rich_markup_mode=None)

Key = Annotated[str, typer.Argument(metavar="KEY", help="As `qsops flow list` prints it.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Only keys that hold it.")] = None,
    json: AsJson = False,
) -> None:
    """List keys: what waits, the limits, how far they are used up.

    \b
    Examples:
      qsops flow list
      qsops --target env flow list --search instagram
    """
    with session_of(ctx) as session:
        frame = session.flow.list(search)
    print_frame(frame, Format.json if json else Format.table)


@app.command()
def show(ctx: typer.Context, key: Key, json: AsJson = False) -> None:
    """Show one key.

    \b
    Example:
      qsops flow show instagram
    """
    from qsops.catalog import flow

    with session_of(ctx) as session:
        found = session.flow.get(key)
    print_record(flow.frame([found]), as_json=json)


@app.command()
def account(ctx: typer.Context, json: AsJson = False) -> None:
    """Show how many calls the account may have under way.

    \b
    Example:
      qsops flow account
    """
    with session_of(ctx) as session:
        found = session.flow.account()
    counts = {"parallelism": found.limit, "under_way": found.count}
    if json:
        print_json(counts)
    else:
        print_table(list(counts), [[str(count) for count in counts.values()]])


@app.command()
def pause(ctx: typer.Context, key: Key) -> None:
    """Hold its messages; new ones are taken and wait.

    \b
    Example:
      qsops --target env --write flow pause instagram
    """
    with session_of(ctx) as session:
        session.flow.pause(key)
    typer.echo(f"key {key} is paused")


@app.command()
def resume(ctx: typer.Context, key: Key) -> None:
    """Let its messages pass again.

    \b
    Example:
      qsops --target env --write flow resume instagram
    """
    with session_of(ctx) as session:
        session.flow.resume(key)
    typer.echo(f"key {key} goes on")


@app.command()
def pin(
    ctx: typer.Context,
    key: Key,
    parallelism: Annotated[int | None, typer.Option(min=1, help="Calls under way at a time.")] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Calls in each period.")] = None,
    period: Annotated[str | None, typer.Option(metavar="SPAN", help="Of the rate, e.g. 1m; 1s unless given.")] = None,
) -> None:
    """Set limits that messages cannot change.

    \b
    Example:
      qsops --target env --write flow pin instagram --parallelism 5 --rate 100 --period 1m
    """
    with session_of(ctx) as session:
        session.flow.pin(key, parallelism=parallelism, rate=rate, period=period)
    typer.echo(f"key {key} is pinned")


@app.command()
def unpin(
    ctx: typer.Context,
    key: Key,
    parallelism: Annotated[bool, typer.Option("--parallelism", help="This limit.")] = False,
    rate: Annotated[bool, typer.Option("--rate", help="This limit.")] = False,
) -> None:
    """Let messages change its limits again; both unless named.

    \b
    Example:
      qsops --target env --write flow unpin instagram
    """
    both = not parallelism and not rate
    with session_of(ctx) as session:
        session.flow.unpin(key, parallelism=parallelism or both, rate=rate or both)
    typer.echo(f"key {key} takes the limits of its next message")


@app.command("reset-rate")
def reset_rate(ctx: typer.Context, key: Key) -> None:
    """Begin a new period of its rate now, with no call in it.

    \b
    Example:
      qsops --target env --write flow reset-rate instagram
    """
    with session_of(ctx) as session:
        session.flow.reset_rate(key)
    typer.echo(f"key {key} begins a new period")
