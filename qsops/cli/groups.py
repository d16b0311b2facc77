"""``qsops groups``: URL groups, a name for several URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qsops.cli.consent import Yes, sure
from qsops.cli.context import session_of
from qsops.cli.options import header_pairs
from qsops.cli.output import AsJson, Format, print_frame
from qsops.errors import SettingsError

if TYPE_CHECKING:
    from qsops.models import Endpoint

__all__ = ["app"]

app = typer.Typer(help="List, make, change and delete URL groups.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `qsops groups list` prints it.")]


@app.command("list")
def list_(ctx: typer.Context, json: AsJson = False) -> None:
    """List URL groups, a row an endpoint.

    \b
    Example:
      qsops groups list
    """
    with session_of(ctx) as session:
        frame = session.groups.list()
    print_frame(frame, Format.json if json else Format.table)


@app.command()
def show(ctx: typer.Context, name: Name, json: AsJson = False) -> None:
    """Show the endpoints of one URL group.

    \b
    Example:
      qsops groups show mirrors
    """
    from qsops.catalog import groups

    with session_of(ctx) as session:
        group = session.groups.get(name)
    print_frame(groups.frame([group]), Format.json if json else Format.table)


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '-', '_' and '.'.")],
    endpoints: Annotated[
        list[str], typer.Argument(metavar="URL...", help="A URL, or NAME=URL to call the endpoint by a name.")
    ],
) -> None:
    """Make a URL group of these endpoints, or add them to it.

    \b
    Examples:
      qsops groups create mirrors https://a.example.com/hook https://b.example.com/hook
      qsops groups create mirrors blue=https://a.example.com/hook
    """
    asked = [_endpoint(one) for one in endpoints]
    with session_of(ctx) as session:
        session.groups.upsert(name, asked)
    typer.echo(f"URL group {name} is set up")


@app.command()
def remove(
    ctx: typer.Context,
    name: Name,
    endpoints: Annotated[list[str], typer.Argument(metavar="ENDPOINT...", help="URLs or names of endpoints.")],
) -> None:
    """Remove endpoints; with the last one the group goes, too.

    \b
    Example:
      qsops groups remove mirrors https://b.example.com/hook
    """
    with session_of(ctx) as session:
        session.groups.remove(name, endpoints)
    typer.echo(f"{len(endpoints)} removed from URL group {name}")


@app.command()
def defaults(
    ctx: typer.Context,
    name: Name,
    header: Annotated[
        list[str], typer.Option("--header", "-H", metavar="NAME:VALUE", help="An option header; may be repeated.")
    ],
) -> None:
    """Set option headers for messages that bring none.

    They take the place of those before, which QStash shows nowhere.

    \b
    Example:
      qsops groups defaults mirrors -H 'Upstash-Retries: 5'
    """
    headers = dict(header_pairs(header))
    if len(headers) < len(header):
        raise SettingsError("--header: a name stands twice; give each once")
    with session_of(ctx) as session:
        session.groups.set_defaults(name, headers)
    typer.echo(f"URL group {name} has {len(headers)} default headers")


@app.command()
def delete(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """Drop a URL group; messages that are under way go on.

    \b
    Example:
      qsops groups delete mirrors --yes
    """
    sure("groups delete", "qsops groups show NAME", yes)
    with session_of(ctx) as session:
        session.groups.delete(name)
    typer.echo(f"URL group {name} is deleted")


def _endpoint(text: str) -> str | Endpoint:
    from qsops.models import Endpoint

    if text.startswith(("http://", "https://")):
        return text
    name, sign, url = text.partition("=")
    if not sign:
        raise SettingsError(f"endpoint {text!r}: write a URL with http:// or https://, or NAME=URL")
    return Endpoint(url, name)
