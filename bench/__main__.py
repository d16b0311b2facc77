"""Run every row and print the table: ``python -m bench [WORD]``, only rows whose title holds WORD."""

from __future__ import annotations

import os
import platform
import sys
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import publishing, pulling, startup
from bench.analysis import rows as analysis
from bench.engine import accepting, backlog, delivery, idle, logs
from bench.frame import Result, Row, run_row
from bench.service import delivery as service_delivery
from bench.service import webhook as service_webhook

ROWS: tuple[Row, ...] = (
    startup.IMPORT,
    startup.HELP,
    publishing.ROW,
    pulling.ROW,
    pulling.LIMITED,
    delivery.ROW,
    *accepting.ROWS,
    *backlog.ROWS,
    *logs.ROWS,
    *idle.ROWS,
    *service_delivery.ROWS,
    *service_webhook.ROWS,
    *analysis.ROWS,
)
#: What takes too long to run beside the others: only when WORD asks for it.
ON_DEMAND: tuple[Row, ...] = (analysis.LARGE,)
#: Below this, whole numbers would hide what a figure says.
_SMALL = 100


def table(results: list[Result]) -> Table:
    """The results, a line per peer."""
    made = Table(title=f"{os.cpu_count()} cores, Python {platform.python_version()}; medians, ratios round by round")
    for column in ("work", "unit", "ours", "peer", "theirs", "ratio", "goal", ""):
        made.add_column(column, justify="right" if column in {"ours", "theirs", "ratio", "goal"} else "left")
    for result in results:
        made.add_row(
            result.row.title,
            result.row.unit,
            _figure(result.ours),
            "" if result.peer is None else result.peer.contender.name,
            _figure(result.theirs),
            _ratio(result),
            _goal(result),
            result.failed or result.skipped or result.verdict(),
        )
    return made


def notes(results: list[Result]) -> list[str]:
    """What the contenders had to say, each once."""
    return list(dict.fromkeys(f"{result.row.title} · {note}" for result in results for note in result.notes))


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= _SMALL else f"{value:.3g}"


def _ratio(result: Result) -> str:
    if not result.ratios:
        return ""
    return f"{median(result.ratios):.2f} × ({min(result.ratios):.2f} to {max(result.ratios):.2f})"


def _goal(result: Result) -> str:
    goals = []
    if result.row.limit is not None:
        goals.append(f"≤ {result.row.limit:,g} {result.row.unit}")
    if result.row.floor is not None:
        goals.append(f"≥ {result.row.floor:,g} {result.row.unit}")
    if result.peer is not None and result.peer.goal is not None:
        goals.append(f"≥ {result.peer.goal:g} ×")
    return ", ".join(goals)


def _asked_for(word: str) -> list[Row]:
    rows = (*ROWS, *ON_DEMAND) if word else ROWS
    return [row for row in rows if word in row.title.lower()]


def main() -> int:
    """Exit status 1 when a goal was missed, or ours could not be measured."""
    word = sys.argv[1].lower() if len(sys.argv) > 1 else ""
    results = [result for row in _asked_for(word) for result in run_row(row)]
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table(results))
    for note in notes(results):
        console.print(note, markup=False, highlight=False)
    return int(any(result.verdict() in {"missed", "failed"} for result in results))


if __name__ == "__main__":
    sys.exit(main())
