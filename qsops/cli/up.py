"""``qsops up``: everything on this machine, until Ctrl-C."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.context import refuse_hosted

__all__ = ["up"]


def up(
    ctx: typer.Context,
    lab: Annotated[
        bool | None, typer.Option("--lab/--no-lab", help="Open JupyterLab in a browser, or leave it out.")
    ] = None,
    engine_port: Annotated[int, typer.Option(min=1, max=65535, envvar="QSTASH_DEV_PORT", help="Of the engine.")] = 8080,
    service_port: Annotated[int, typer.Option(min=1, max=65535, help="Of the service.")] = 8000,
    lab_port: Annotated[int, typer.Option(min=1, max=65535, help="Of JupyterLab.")] = 8888,
    handler: Annotated[
        str | None, typer.Option(metavar="PACKAGE.MODULE:FUNCTION", help="Process events with your own function.")
    ] = None,
) -> None:
    """Run engine, service and JupyterLab until Ctrl-C.

    Nothing of a real account reaches them: they see neither your environment's settings nor a .env file.

    \b
    Examples:
      qsops up
      qsops up --no-lab --handler my_package.handlers:handle
    """
    refuse_hosted(ctx, "up")
    from importlib.util import find_spec

    from qsops import config
    from qsops.clock import SystemClock, SystemIds
    from qsops.stack.together import Ports, run_together

    # Not asked about, JupyterLab comes along where it is installed.
    with_lab = find_spec("jupyterlab") is not None if lab is None else lab
    run_together(
        config.project_root(),
        Ports(engine_port, service_port, lab_port if with_lab else None),
        ids=SystemIds(SystemClock()),
        tell=typer.echo,
        open_browser=bool(lab),
        handler=handler,
    )
