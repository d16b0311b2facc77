"""``qsops duplicates``: messages that were delivered more than once."""

from __future__ import annotations

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, Labels, Since, Until, Urls, past

__all__ = ["duplicates"]


def duplicates(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """List messages that were delivered more than once.

    \b
    Examples:
      qsops duplicates --since 24h
      qsops duplicates --archive archive --label orders --json
    """
    checked(chart)
    with past(ctx, since, until, archive, url=url, label=label) as seen:
        from qsops import analysis

        frame = analysis.duplicates(seen.attempts)
    print_frame(frame, Format.json if json else Format.table)
    draw("duplicates", frame, chart)
