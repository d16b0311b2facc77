"""``qsops keys``: the signing keys of the account."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.context import session_of
from qsops.cli.output import AsJson, print_json, print_table

__all__ = ["app"]

app = typer.Typer(help="Show and rotate the signing keys.", no_args_is_help=True, rich_markup_mode=None)

_SHOWN = 8


@app.command()
def show(
    ctx: typer.Context,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the keys in full, to set them elsewhere.")] = False,
    json: AsJson = False,
) -> None:
    """Show the current and the next signing key, masked unless --reveal.

    \b
    Examples:
      qsops keys show
      qsops --target env keys show --reveal
    """
    with session_of(ctx) as session:
        pair = session.keys.show()
    _print(pair.current, pair.next, reveal, json)


@app.command()
def rotate(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the new keys in full.")] = False,
    json: AsJson = False,
) -> None:
    """Make the next key current and a new one next. Every receiver must know the next key before.

    \b
    Example:
      qsops --target env --write keys rotate
    """
    with session_of(ctx) as session:
        if not yes:
            typer.confirm(f"Rotate the signing keys of {session.target.name}?", abort=True, err=True)
        pair = session.keys.rotate()
    _print(pair.current, pair.next, reveal, json)


def _print(current: str, following: str | None, reveal: bool, json: bool) -> None:
    keys = {"current": current, "next": following}
    shown = {name: key if reveal or key is None else f"{key[:_SHOWN]}…" for name, key in keys.items()}
    if json:
        print_json(shown)
    else:
        print_table(["key", "value"], [[name, key or "none"] for name, key in shown.items()])
