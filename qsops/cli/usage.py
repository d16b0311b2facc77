"""``qsops usage``: today's messages against the quota."""

from __future__ import annotations

import typer

from qsops.cli.context import session_of
from qsops.cli.cost import PlanName
from qsops.cli.output import AsJson, Format, print_frame, watched
from qsops.plans import plan_named

__all__ = ["usage"]


def usage(ctx: typer.Context, plan: PlanName = None, json: AsJson = False) -> None:
    """Set today's messages against the plan's quota.

    A day of QStash's ends at 00:00 UTC. With --plan the status is 1 once its quota is used up, for cron.

    \b
    Examples:
      qsops --target env usage
      qsops --target env usage --plan free
    """
    if plan is not None:
        plan_named(plan)
    with session_of(ctx) as session:
        from qsops import analysis, fold
        from qsops.clock import utc

        now = utc(session.clock.now_ms())
        # Without the beginnings of older messages: what was published before today counts for nothing here.
        today = fold.fold(session.logs(analysis.day_began(now), progress=watched()))
        frame = analysis.usage(today.messages, today.attempts, now, plan)
    print_frame(frame, Format.json if json else Format.table)
    if plan is not None and (frame["used"] >= frame["quota"]).fillna(False).any():
        raise typer.Exit(1)
