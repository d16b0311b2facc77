"""``qsops retries``: what each further attempt wins."""

from __future__ import annotations

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, Labels, Since, Until, Urls, past

__all__ = ["retries"]


def retries(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Tell what each further attempt wins.

    \b
    Examples:
      qsops retries --since 24h --label orders
      qsops --target env retries --since 3d --chart ladder.svg
    """
    checked(chart)
    with past(ctx, since, until, archive, url=url, label=label) as seen:
        from qsops import analysis

        frame = analysis.retry_ladder(seen.attempts)
    print_frame(frame, Format.json if json else Format.table)
    draw("retry_ladder", frame, chart)
