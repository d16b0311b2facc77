"""``qsops latency``: how long delivery takes."""

from __future__ import annotations

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, Every, Labels, Since, Until, Urls, past, width

__all__ = ["latency"]


def latency(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    every: Every = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Tell how long messages take to be delivered.

    By time of creation, in buckets of 10 minutes unless --every says otherwise.

    \b
    Examples:
      qsops latency --since 24h --every 1h
      qsops latency --archive archive --since 7d --every 1d --chart latency.png
    """
    checked(chart)
    bucket = width(every or "10m")
    with past(ctx, since, until, archive, url=url, label=label) as seen:
        from qsops import analysis

        frame = analysis.latency(seen.messages, every=bucket)
    print_frame(frame, Format.json if json else Format.table)
    draw("latency", frame, chart)
