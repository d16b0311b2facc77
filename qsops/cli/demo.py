"""``qsops demo``: the main job, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qsops.cli.context import refuse_hosted

__all__ = ["demo"]


def demo(
    ctx: typer.Context,
    updates: Annotated[int, typer.Option(min=1, max=5000, help="How many Instagram updates are posted.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="The same seed posts the same updates.")] = 0,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where databases, logs and the report go. Default: .qsops/demo/…")
    ] = None,
) -> None:
    """Do the main job once, with faults, and show what became of it.

    A signed Instagram workload goes through the whole path, to a consumer that fails in four ways for a while.
    Engine, service and sender run as processes of their own, on free ports of this machine; no account is used.
    Exit status 1 when the counts of sender and receiver do not add up.

    \b
    Examples:
      qsops demo
      qsops demo --updates 1000 --seed 7
    """
    refuse_hosted(ctx, "demo")
    from qsops import config
    from qsops.clock import SystemClock, SystemIds
    from qsops.demo import run_demo

    clock = SystemClock()
    adds_up = run_demo(
        config.project_root(),
        folder,
        clock=clock,
        ids=SystemIds(clock),
        updates=updates,
        seed=seed,
        tell=lambda line: typer.echo(line),
    )
    if not adds_up:
        raise typer.Exit(1)
