"""``qsops latency``: how long delivery takes."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, By, Every, Labels, Since, Until, Urls, past, width
from qsops.errors import SettingsError

__all__ = ["latency"]


def latency(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    by: Annotated[By | None, typer.Option(help="A row for each of them, and no buckets.")] = None,
    every: Every = None,
    attempts: Annotated[bool, typer.Option("--attempts", help="How long attempts take, by time of start.")] = False,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Tell how long messages take to be delivered.

    By time of creation in buckets of 10 minutes, unless --every or --by says otherwise.

    \b
    Examples:
      qsops latency --since 24h --every 1h
      qsops latency --since 24h --attempts --by url
      qsops latency --archive archive --since 7d --every 1d --chart latency.png
    """
    checked(chart)
    if by is not None and every is not None:
        raise SettingsError("name --by or --every, not both")
    bucket = None if by is not None else width(every or "10m")
    with past(ctx, since, until, archive, url=url, label=label) as seen:
        from qsops import analysis

        frame = analysis.latency(seen.attempts if attempts else seen.messages, bucket, by=by and by.value)
    print_frame(frame, Format.json if json else Format.table)
    draw("latency", frame, chart)
