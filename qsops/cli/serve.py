"""``qsops serve``: the service."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from qsops.cli.context import chosen

__all__ = ["serve"]


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="The address it listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port it listens on.")] = 8000,
) -> None:
    """Run the service until Ctrl-C: webhook, consumer, relay.

    It publishes to the target, by default the local engine. Needs INSTAGRAM_APP_SECRET and
    INSTAGRAM_VERIFY_TOKEN; on a hosted target also its token, keys and a public URL.

    \b
    Examples:
      qsops serve
      qsops --target env serve --host 0.0.0.0 --port 8000
    """
    from qsops import config
    from qsops.stack.serving import serve as run
    from qsops.stack.serving import service_environment

    root = config.project_root()
    env = config.environment(root, os.environ)
    target = config.resolve(chosen(ctx).target, env, root)
    if target.kind == "local" and target.name != "env" and "DATABASE_URL" in env:
        typer.echo("DATABASE_URL is left alone on the local target, whose database is .qsops/service.db", err=True)
    run(service_environment(target, env, host=host, port=port), host=host, port=port, on_ready=_print_ready)


def _print_ready(url: str) -> None:
    typer.echo(f"service: {url} (Ctrl-C stops it)")
