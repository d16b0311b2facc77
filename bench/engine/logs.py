"""A page of 1,000 log entries out of 10 million, over HTTP: at any cursor and by message id, and by any single filter.

``python -m bench.engine.logs pages|filters FILE``; prints the milliseconds of the slowest page: each is asked for five
times, and its median counts.
"""

from __future__ import annotations

import atexit
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from bench.engine.figure import tell
from bench.engine.local import TOKEN, LocalEngine, engine
from bench.engine.process import ProcessFailed
from bench.engine.questions import EARLIEST_FIRST, Question, filters, of_dates, pages
from bench.frame import Contender, PeerMissing, Row

__all__ = ["ROWS", "slowest"]

_TIMES = 5
#: How many of the slowest are named.
_NAMED = 3
_LIMIT_S = 60.0


@cache
def built() -> Path:
    """The database, made on first use and removed when the benchmark ends. :raises PeerMissing: when it cannot be."""
    from bench.engine.longlog import LINES, build

    folder = Path(tempfile.mkdtemp(prefix="qsops-logs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    print(f"making a log of {LINES:,} lines …", file=sys.stderr, flush=True)
    try:
        build(folder / "engine.db", TOKEN)
    except OSError as error:
        raise PeerMissing(f"the long log cannot be made: {error}") from error
    return folder / "engine.db"


def with_log() -> tuple[Sequence[str], Callable[[], None]]:
    """The database's file, which stays for the next row."""
    return [str(built())], lambda: None


def ask(local: LocalEngine, question: Question) -> float:
    """The milliseconds of one page. :raises ProcessFailed: when it does not hold what it must."""
    took, answer = [], b""
    for _ in range(_TIMES):
        began_s = time.perf_counter()
        answer = local.get(question.path, _LIMIT_S)
        took.append((time.perf_counter() - began_s) * 1000)
    count = len(json.loads(answer)["events"])
    if not question.least <= count <= question.most:
        raise ProcessFailed(f"{question.name}: {count} entries, not {question.least} to {question.most}")
    return median(took)


def slowest(times: dict[str, float]) -> tuple[float, str]:
    """The worst of ``times``, and a note with the worst few by name."""
    worst = sorted(times.items(), key=lambda item: item[1], reverse=True)[:_NAMED]
    return worst[0][1], "slowest: " + "; ".join(f"{name} {ms:.0f} ms" for name, ms in worst)


def ends(local: LocalEngine) -> tuple[int, int]:
    """The times of the first line and of the last."""
    first, last = (_page(local, ("order", order))["events"][0]["time"] for order in (EARLIEST_FIRST, "latestFirst"))
    return first, last


def of_pages(local: LocalEngine) -> list[Question]:
    """Cursors and message ids from both ends and the middle of the log."""
    first_ms, last_ms = ends(local)
    near = {
        "newest": (("order", "latestFirst"),),
        "middle": (("fromDate", str((first_ms + last_ms) // 2)), ("order", EARLIEST_FIRST)),
        "oldest": (("order", EARLIEST_FIRST),),
    }
    found = {name: _page(local, *parameters) for name, parameters in near.items()}
    ids = {name: page["events"][0]["messageId"] for name, page in found.items()}
    return [*pages({name: page["cursor"] for name, page in found.items()}, {**ids, "unknown": "msg_unknown"})]


def _page(local: LocalEngine, *parameters: tuple[str, str]) -> dict[str, Any]:
    one = Question("", (*parameters, ("count", "1")))
    return dict(json.loads(local.get(one.path.replace("count=1000&", ""), _LIMIT_S)))


def main(what: str, db: Path) -> None:
    """Ask all of one kind."""
    with engine(db) as local:
        asked = of_pages(local) if what == "pages" else [*filters(), *of_dates(*ends(local))]
        times = {question.name: ask(local, question) for question in asked}
        figure, note = slowest(times)
        tell(figure, f"{len(times)} pages; {note}")


def _row(title: str, what: str, limit_ms: float) -> Row:
    return Row(
        title=f"engine: a page of 1,000 out of 10,000,000 log lines, {title}, the slowest",
        unit="ms",
        ours=Contender("qsops engine", "bench.engine.logs", (what,)),
        rounds=1,
        limit=limit_ms,
        prepare=with_log,
    )


ROWS = (
    _row("any cursor or message id", "pages", 50),
    _row("any other filter", "filters", 500),
)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
