"""``qsops outages``: when destinations did not work."""

from __future__ import annotations

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, Labels, Since, Until, Urls, past

__all__ = ["outages"]


def outages(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """List the stretches in which a destination failed.

    \b
    Examples:
      qsops outages --since 24h
      qsops outages --archive archive --since 14d --chart outages.png
    """
    checked(chart)
    with past(ctx, since, until, archive, url=url, label=label) as seen:
        from qsops import analysis

        frame = analysis.outages(seen.attempts)
    print_frame(frame, Format.json if json else Format.table)
    draw("outages", frame, chart)
