"""``qsops failures``: what failed, and which failures are one."""

from __future__ import annotations

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, Labels, Since, Until, Urls, past

__all__ = ["failures"]

COLUMNS = ["group", "response_status", "error", "attempts", "messages", "recovered", "first_at", "last_at"]


def failures(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Group failed attempts that failed alike.

    Ids, numbers and hosts in their errors are left out; --json has samples of each group, too.

    \b
    Examples:
      qsops failures --since 1h
      qsops --target env failures --since 24h --url https://api.example.com/hook --json
    """
    checked(chart)
    with past(ctx, since, until, archive, url=url, label=label) as seen:
        from qsops import analysis

        frame = analysis.failure_groups(seen.attempts)
    print_frame(frame, Format.json if json else Format.table, columns=COLUMNS)
    draw("failure_groups", frame, chart)
