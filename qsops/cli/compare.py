"""``qsops compare``: before and after a deploy, or two ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.output import AsJson, Format, print_frame
from qsops.cli.past import Archive, By, Labels, Since, Until, Urls, moment_of, past
from qsops.errors import SettingsError

__all__ = ["compare"]

At = Annotated[
    str | None, typer.Option("--at", metavar="WHEN", help="The deploy: what was created before it against the rest.")
]
Before = Annotated[
    tuple[str, str] | None, typer.Option("--before", metavar="FROM TO", help="The first range, if not by --at.")
]
After = Annotated[tuple[str, str] | None, typer.Option("--after", metavar="FROM TO", help="The second range.")]

COLUMNS = ["url", "label", "queue", "measure", "before", "after", "difference", "low", "high", "verdict"]


def compare(
    ctx: typer.Context,
    at: At = None,
    before: Before = None,
    after: After = None,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    by: Annotated[By | None, typer.Option(help="Compare each of them by itself.")] = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Compare before and after a deploy, or two ranges.

    Each difference has its 95 % interval, from low to high; what leaves out 0 is better or worse.

    \b
    Examples:
      qsops compare --at 2026-01-02T10:00 --since 2026-01-01 --by url
      qsops compare --archive archive --before 14d 7d --after 7d 0s --chart week.png
    """
    checked(chart)
    if before is not None and (since, until) != (None, None):
        raise SettingsError("--before and --after name their own ranges: leave out --since and --until")
    from qsops import analysis

    if at is None and before is not None and after is not None:
        with (
            past(ctx, *before, archive, url=url, label=label) as first,
            past(ctx, *after, archive, url=url, label=label) as second,
        ):
            sides = [analysis.created(one.messages, one.since, one.until) for one in (first, second)]
            empty = _empty(sides, ("the range of --before", "the range of --after"))
            frame = analysis.compare(sides[0], sides[1], by=by and by.value)
    elif at is not None and before is None and after is None:
        with past(ctx, since, until, archive, url=url, label=label) as seen:
            deploy = moment_of("at", at, seen.now)
            earlier = analysis.created(seen.messages, seen.since, deploy)
            later = analysis.created(seen.messages, deploy, seen.until)
            empty = _empty((earlier, later), ("the range from --since to --at", "the range from --at to --until"))
            frame = analysis.compare(earlier, later, by=by and by.value)
    else:
        raise SettingsError("name --at, the moment of a deploy, or both --before FROM TO and --after FROM TO")
    print_frame(frame, Format.json if json else Format.table, columns=COLUMNS)
    draw("compare", frame, chart)
    for side in empty:
        typer.echo(f"no message was created in {side}, so there is nothing to compare: name a longer range", err=True)


def _empty(sides: Sequence[Any], names: Sequence[str]) -> list[str]:
    """The names of those sides that have no message."""
    from qsops.compute import answer

    return [name for side, name in zip(sides, names, strict=True) if not answer(side.limit(1)).num_rows]
