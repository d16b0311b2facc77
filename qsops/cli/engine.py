"""``qsops engine``: the local QStash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qsops.cli.context import refuse_hosted

__all__ = ["engine"]


def engine(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="A loopback address: the engine's tokens are public.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Where it listens; 0 takes a free one.", envvar="QSTASH_DEV_PORT", min=0, max=65535)
    ] = 8080,
    db: Annotated[
        str | None, typer.Option(metavar="FILE", help="Its database; :memory: forgets. Default: .qsops/engine.db")
    ] = None,
    quota: Annotated[str, typer.Option(help="The plan whose limits hold: payg, free, …")] = "payg",
    port_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the port there once requests are answered.")
    ] = None,
) -> None:
    """Run the local QStash until Ctrl-C.

    QSTASH_DEV=true clients find it on its default port.

    \b
    Examples:
      qsops engine
      qsops engine --port 0 --db :memory:
    """
    refuse_hosted(ctx, "engine")
    from qsops import config
    from qsops.engine.server import serve

    state = config.state_dir(config.project_root())
    if db is None:
        state.mkdir(exist_ok=True)
    serve(
        host,
        port,
        db or state / "engine.db",
        quota=quota,
        port_file=port_file,
        on_ready=lambda url: typer.echo(f"engine: {url} (Ctrl-C stops it)"),
    )
