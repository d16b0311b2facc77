"""``qsops cost``: what the messages cost, by plan."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, By, Since, Until, past
from qsops.errors import SettingsError
from qsops.plans import plan_named

__all__ = ["PlanName", "cost"]

PlanName = Annotated[
    str | None, typer.Option("--plan", metavar="PLAN", help="free, payg, fixed_1m or fixed_10m; default: all of them.")
]


def cost(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    plan: PlanName = None,
    by: Annotated[By | None, typer.Option(help="Who causes it, on one plan (payg unless named).")] = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Tell what the messages cost, and what a month will.

    QStash's own pages disagree on whether a retry costs anything, so each plan has a row for either reading: retries
    are free ("messages"), or each attempt is billed ("attempts"). Callbacks are messages, and count.

    \b
    Examples:
      qsops --target env cost --since 7d
      qsops cost --archive archive --since 30d --by label --plan payg
    """
    checked(chart)
    if plan is not None:
        plan_named(plan)
    if by is not None and chart is not None:
        raise SettingsError("--chart draws the plans: leave out --by")
    with past(ctx, since, until, archive) as seen:
        from qsops import analysis

        # An archive ends where it was synced last, and not now.
        span = {"since": seen.since, "until": seen.until or (seen.now if archive is None else None)}
        if by is not None:
            frame = analysis.cost_shares(seen.messages, seen.attempts, by.value, plan=plan or "payg", **span)
        else:
            frame = analysis.cost(seen.messages, seen.attempts, plan=plan, **span)
    print_frame(frame, Format.json if json else Format.table)
    draw("cost", frame, chart)
