"""``qsops notebooks``: the notebooks, made ready for a real account."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.context import chosen
from qsops.errors import SettingsError

__all__ = ["app"]

app = typer.Typer(help="Copy the notebooks for work on a real account.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def notebooks() -> None:
    """Copy the notebooks for work on a real account."""


@app.command()
def copy(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Such as 03_trace_deliveries; default: all that may run live.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="NAME", help="env, local, or a profile of qsops.toml; also before the verb.")
    ] = None,
) -> None:
    """Copy a notebook into runs/, cleared.

    The target is set in its parameters, and named at the top.

    \b
    Examples:
      qsops notebooks copy --target production
      qsops notebooks copy 03_trace_deliveries --target env
    """
    import os

    from qsops import config
    from qsops.notebooks import copy as copy_notebooks

    named = target or chosen(ctx).named
    if named is None:
        raise SettingsError("name the account it shall run on: --target env, or a profile of qsops.toml")
    root = config.project_root()
    # A name that means nothing is found here, not in the notebook's second cell.
    config.resolve(named, config.environment(root, os.environ), root)
    for path in copy_notebooks(root, named, name):
        typer.echo(str(path))
    typer.echo("open them with `jupyter lab` in a shell that has the account's settings", err=True)
