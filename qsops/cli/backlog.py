"""``qsops backlog``: what was on its way, over time."""

from __future__ import annotations

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, Every, Labels, Since, Until, Urls, past, width
from qsops.errors import SettingsError

__all__ = ["backlog"]


def backlog(
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
    """Tell how many messages were in flight and waiting.

    A row every 10 minutes unless --every says otherwise.

    \b
    Examples:
      qsops backlog --since 6h --every 5m
      qsops --target env backlog --since 24h --chart backlog.png
    """
    checked(chart)
    bucket = width(every or "10m")
    with past(ctx, since, until, archive, url=url, label=label, under_way=True) as seen:
        from qsops import analysis

        try:
            frame = analysis.backlog(seen.messages, seen.attempts, every=bucket)
        except ValueError as error:
            raise SettingsError(str(error)) from error
        if seen.until is not None:
            # What came after it is known of the messages of the range alone.
            frame = frame[frame["at"] <= seen.until]
    print_frame(frame, Format.json if json else Format.table)
    draw("backlog", frame, chart)
