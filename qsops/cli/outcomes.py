"""``qsops outcomes``: how messages ended."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, By, Every, Labels, Since, Until, Urls, past, width

__all__ = ["outcomes"]


def outcomes(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    by: Annotated[By | None, typer.Option(help="Counts for each of them.")] = None,
    every: Every = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Count messages by the state they ended in.

    \b
    Examples:
      qsops outcomes --since 24h --by label
      qsops --target env outcomes --since 24h --every 1h --chart outcomes.png
    """
    checked(chart)
    bucket = None if every is None else width(every)
    with past(ctx, since, until, archive, url=url, label=label) as seen:
        from qsops import analysis

        frame = analysis.outcomes(seen.messages, by=by and by.value, every=bucket)
    print_frame(frame, Format.json if json else Format.table)
    draw("outcomes", frame, chart)
