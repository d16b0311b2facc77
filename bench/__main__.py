"""Run every row and print the table: ``python -m bench [WORD]``, only rows whose title holds WORD."""

from __future__ import annotations

import os
import platform
import sys
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import publishing, startup
from bench.frame import Result, Row, run_row

ROWS: tuple[Row, ...] = (startup.IMPORT, startup.HELP, publishing.ROW)


def table(results: list[Result]) -> Table:
    """The results, a line per peer."""
    made = Table(title=f"{os.cpu_count()} cores, Python {platform.python_version()}; medians, ratios round by round")
    for column in ("work", "unit", "ours", "peer", "theirs", "ratio", "goal", ""):
        made.add_column(column, justify="right" if column in {"ours", "theirs", "ratio", "goal"} else "left")
    for result in results:
        made.add_row(
            result.row.title,
            result.row.unit,
            f"{result.ours:,.0f}",
            result.peer.contender.name,
            "" if result.theirs is None else f"{result.theirs:,.0f}",
            _ratio(result),
            _goal(result),
            result.skipped or result.verdict(),
        )
    return made


def _ratio(result: Result) -> str:
    if not result.ratios:
        return ""
    return f"{median(result.ratios):.2f} × ({min(result.ratios):.2f} to {max(result.ratios):.2f})"


def _goal(result: Result) -> str:
    if result.row.limit is not None:
        return f"≤ {result.row.limit:g} {result.row.unit}"
    return "" if result.peer.goal is None else f"≥ {result.peer.goal:g} ×"


def main() -> int:
    """Exit status 1 when a goal was missed."""
    word = sys.argv[1].lower() if len(sys.argv) > 1 else ""
    results = [result for row in ROWS if word in row.title.lower() for result in run_row(row)]
    Console(width=None if sys.stdout.isatty() else 160).print(table(results))
    return int(any(result.verdict() == "missed" for result in results))


if __name__ == "__main__":
    sys.exit(main())
