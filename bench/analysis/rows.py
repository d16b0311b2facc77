"""Four analyses of a long log, from an archive: messages by state, latency, the retry ladder, failure groups.

``python -m bench.analysis.rows WHO ROOT``; prints millions of log rows per second that all four together answer for, or
megabytes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from bench.analysis.tables import archive, files, made, piece
from bench.frame import Contender, Peer, Row

_PIECES, _LARGE_PIECES = 4, 40
_TURNS = 5
_MILLION = 1_000_000


def rate(root: Path) -> tuple[float, str]:
    """Ours, warm: the median of some turns after a first one."""
    ask = _questions(root)
    cold_s = _seconds(ask)
    busy = time.process_time()
    took = median(_seconds(ask) for _ in range(_TURNS))
    busy_s = (time.process_time() - busy) / _TURNS
    told = made(root)
    millions = told["rows"] / _MILLION
    folding_s, writing_s = told["folding_s"], told["writing_s"]
    note = (
        f"{millions:.1f} M rows in {took:.2f} s ({busy_s:.2f} s of processor), at first {cold_s:.2f} s; to fold them "
        f"had taken {folding_s:.1f} s ({millions / folding_s:.1f} M rows/s), to write the tables {writing_s:.1f} s"
    )
    return millions / took, note


def memory(root: Path) -> tuple[float, str]:
    """The most memory that the process held, the interpreter and pandas included, in megabytes."""
    import ibis  # noqa: F401

    bare = _peak_mb()
    ask = _questions(root)
    for _ in range(3):
        ask()
    return _peak_mb(), f"of these {bare:.0f} MB are Python with pandas and Ibis"


def by_hand(root: Path, *, coded: bool = False) -> tuple[float, str]:
    """The log read and asked in pandas, once: nothing of it gets faster the second time."""
    import pandas as pd

    from bench.analysis.by_hand import COLUMNS, answers
    from qsops.archive.layout import LOGS

    paths = files(root, LOGS)
    began = time.perf_counter()
    logs = pd.concat([pd.read_parquet(path, columns=COLUMNS) for path in paths], ignore_index=True)
    reading_s = time.perf_counter() - began
    answers(logs, coded=coded)
    took = time.perf_counter() - began
    note = f"{took:.1f} s, {reading_s:.1f} s of them to read the log, and {_peak_mb():,.0f} MB"
    return len(logs) / _MILLION / took, note


def by_expert(root: Path) -> tuple[float, str]:
    """The same by whoever knows pandas well."""
    return by_hand(root, coded=True)


def folding(_: Path) -> tuple[float, str]:
    """The log of one piece, as an archive's sync folds it, with the portable columns."""
    from qsops import fold

    log = piece(0)
    busy = time.process_time()
    took = _seconds(lambda: fold.tables(log))
    busy_s, millions = time.process_time() - busy, log.num_rows / _MILLION
    return millions / took, f"{millions:.1f} M rows in {took:.2f} s ({busy_s:.2f} s of processor)"


def _questions(root: Path) -> Callable[[], object]:
    from qsops import analysis
    from qsops.archive.layout import ATTEMPTS, MESSAGES
    from qsops.compute import Choice, open_files

    messages, attempts = (open_files(files(root, layout), layout.schema, Choice()) for layout in (MESSAGES, ATTEMPTS))
    return lambda: (
        analysis.outcomes(messages),
        analysis.latency(messages, every="1h"),
        analysis.retry_ladder(attempts),
        analysis.failure_groups(attempts),
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def with_archive(pieces: int) -> tuple[Sequence[str], Callable[[], None]]:
    """The archive, made where it is not there yet; it stays for the next time."""
    return (str(archive(pieces)),), lambda: None


def _row(title: str, unit: str, who: str, *, pieces: int = _PIECES, **more: object) -> Row:
    ours = Contender("archive", __name__, (who,))
    return Row(title=title, unit=unit, ours=ours, prepare=lambda: with_archive(pieces), **more)  # type: ignore[arg-type]


#: A second for ten million rows is a floor of ten.
ROWS = (
    _row(
        "four analyses of 10 M log rows, from the archive",
        "M rows/s",
        "rate",
        rounds=1,
        floor=10,
        peers=(
            Peer(Contender("pandas by hand, from the log", __name__, ("by_hand",)), goal=15),
            Peer(Contender("the same, ids numbered first", __name__, ("by_expert",))),
        ),
    ),
    _row("four analyses of 10 M log rows, memory", "MB", "memory", rounds=1, limit=500),
    Row(
        "log folded to attempts and messages",
        "M rows/s",
        Contender("qsops.fold", __name__, ("folding", "-")),
        rounds=3,
        floor=1,
    ),
)
#: Ten seconds for a hundred million; to make them takes minutes and 10 GB, hence a target of its own.
LARGE = _row(
    "four analyses of 100 M log rows, from the archive", "M rows/s", "rate", pieces=_LARGE_PIECES, rounds=1, floor=10
)


def main(who: str, root: str) -> None:
    """Measure one contender."""
    contenders = {"rate": rate, "memory": memory, "by_hand": by_hand, "by_expert": by_expert, "folding": folding}
    figure, note = contenders[who](Path(root))
    print(json.dumps({"figure": figure, "note": note}))


if __name__ == "__main__":
    main(*sys.argv[1:])
