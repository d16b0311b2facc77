"""``qsops archive``: the log kept for good, in a folder or a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qsops.cli.archive_lines import as_json, status_lines, sync_lines, verify_lines
from qsops.cli.context import session_of
from qsops.cli.logs import SINCE, UNTIL
from qsops.cli.output import AsJson, Format, Out, print_frame, print_json, print_table, watched
from qsops.errors import QsopsError, SettingsError

if TYPE_CHECKING:
    from datetime import tzinfo

    from qsops.archive import SyncReport
    from qsops.archive.dead_letters import Letters
    from qsops.archive.spans import Span

__all__ = ["app"]

app = typer.Typer(help="Keep the log for good, and ask it.", no_args_is_help=True, rich_markup_mode=None)

Dir = Annotated[
    str | None, typer.Option("--dir", metavar="DIR", help="A folder or s3://BUCKET/PREFIX; default QSOPS_ARCHIVE.")
]
PlanName = Annotated[
    str, typer.Option("--plan", metavar="PLAN", help="Whose retention holds: free, payg, fixed_1m or fixed_10m.")
]
Bodies = Annotated[bool, typer.Option("--bodies", help="Keep the texts of messages and answers of new entries, too.")]
Since = Annotated[str | None, SINCE]
Until = Annotated[str | None, UNTIL]


@app.command()
def sync(
    ctx: typer.Context,
    directory: Dir = None,
    since: Since = None,
    until: Until = None,
    bodies: Bodies = False,
    plan: PlanName = "free",
    json: AsJson = False,
) -> None:
    """Take in what QStash has and the archive has not. Fit for cron: it may be killed, and run twice at once.

    Exit status 1 where QStash has forgotten something of the range before it was archived. A gap is told by the sync
    that finds it, and by `qsops archive status` ever after.

    \b
    Examples:
      qsops --target env archive sync --dir archive
      qsops --target env archive sync --dir s3://bucket/qstash --since 14d --plan payg
    """
    from qsops.archive.state import load

    retention_ms = _retention_ms(plan)
    with session_of(ctx) as session:
        archive = session.archive(directory)
        before = load(archive.store).covered
        report = archive.sync(since, until, bodies=bodies, retention=retention_ms / 1000, progress=watched())
        try:
            letters = archive.keep_dead_letters(bodies=bodies)
        except QsopsError:
            # What this sync has found to be forgotten is told by no later one.
            _tell(report, None, json)
            raise
    _tell(report, letters, json)
    if any(_is_news(span, before, retention_ms) for span in report.forgotten):
        raise typer.Exit(1)


@app.command()
def status(
    directory: Dir = None,
    plan: PlanName = "free",
    every: Annotated[str, typer.Option(metavar="SPAN", help="How often a sync runs.")] = "1d",
    zone: Annotated[str, typer.Option(metavar="ZONE", help="Where working days begin, such as Europe/Berlin.")] = "UTC",
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="Gaps before that do not count.")] = None,
    json: AsJson = False,
) -> None:
    """Tell what is archived, lost, or soon forgotten.

    It asks nobody but the archive; what QStash remembers is told by the plan. Exit status 1 where something is lost, or
    expires before the next sync or the next working day.

    \b
    Examples:
      qsops archive status --dir archive --every 1h --zone Europe/Berlin
      qsops archive status --plan payg --since 30d --json
    """
    from qsops.archive import open_archive
    from qsops.clock import SystemClock
    from qsops.session.windows import moment_ms, span_ms

    every_ms = span_ms("every", every)
    if every_ms < 1:
        raise SettingsError(f"--every: {every} is no time between syncs: name a longer one, such as 15m")
    found = open_archive(directory).status(
        plan,
        every_ms=every_ms,
        zone=_zone(zone),
        since_ms=moment_ms("since", since, SystemClock().now_ms()),
    )
    if json:
        print_json(as_json(found))
    else:
        typer.echo("\n".join(status_lines(found)))
        rows = [[one.name, f"{one.rows:,}", f"{one.bytes:,}", f"{one.files:,}"] for one in found.tables]
        print_table(["table", "rows", "bytes", "files"], rows)
    if not found.is_well:
        raise typer.Exit(1)


@app.command()
def verify(
    ctx: typer.Context,
    directory: Dir = None,
    since: Since = None,
    until: Until = None,
    bodies: Bodies = False,
    plan: PlanName = "free",
    json: AsJson = False,
) -> None:
    """Pull again, and add what came too late.

    All of the archive that QStash still remembers, unless a range is named.

    \b
    Example:
      qsops --target env archive verify --dir archive --since 2d
    """
    retention_s = _retention_ms(plan) / 1000
    with session_of(ctx) as session:
        archive = session.archive(directory)
        report = archive.verify(since, until, bodies=bodies, retention=retention_s, progress=watched())
    if json:
        print_json(as_json(report))
    else:
        typer.echo("\n".join(verify_lines(report)))


@app.command()
def compact(
    directory: Dir = None,
    keep: Annotated[str, typer.Option(metavar="SPAN", help="How long readers may read what was replaced.")] = "7d",
    json: AsJson = False,
) -> None:
    """Make few large files of many small ones.

    What was replaced long ago is deleted. Syncs and readers may go on meanwhile.

    \b
    Example:
      qsops archive compact --dir archive --keep 1d
    """
    from qsops.archive import open_archive
    from qsops.session.windows import span_ms

    found = open_archive(directory).compact(keep_ms=span_ms("keep", keep))
    if json:
        print_json([as_json(one) for one in found])
        return
    rows = [[one.table, str(one.files_before), str(one.files_after), str(one.deleted)] for one in found]
    print_table(["table", "files before", "after", "deleted"], rows)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="A SELECT, in DuckDB's words.")],
    directory: Dir = None,
    form: Annotated[Format | None, typer.Option("--format", help="How rows are written; a table if not named.")] = None,
    out: Out = None,
    json: AsJson = False,
) -> None:
    """Ask the archive in SQL, which only reads.

    The tables are logs, attempts, messages, dead_letters, malformed and commits, as the latest commit has them.

    \b
    Examples:
      qsops archive query "select state, count(*) as n from messages group by state"
      qsops archive query "describe attempts"
      qsops archive query "from dead_letters where gone_ms is null" --format csv --out dead.csv
    """
    from qsops.archive import open_archive

    if json and form not in (None, Format.json):
        raise SettingsError(f"--json and --format {form.value} ask for two formats: leave out one")
    print_frame(open_archive(directory).sql(sql), Format.json if json else form or Format.table, out=out)


def _tell(report: SyncReport, letters: Letters | None, json: bool) -> None:
    if json:
        print_json(as_json(report, dead_letters=None if letters is None else as_json(letters)))
    else:
        typer.echo("\n".join(sync_lines(report, letters)))


def _is_news(lost: Span, before: tuple[Span, ...], retention_ms: int) -> bool:
    """Whether the sync before could not have told of a gap: there was none, or QStash remembered some of it then."""
    return not before or lost[1] >= before[-1][1] - retention_ms


def _retention_ms(plan: str) -> int:
    from qsops.plans import plan_named, retention_ms

    return retention_ms(plan_named(plan))


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise SettingsError(f"zone: {name!r} is no time zone: name one such as Europe/Berlin") from error
