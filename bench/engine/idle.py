"""The engine with nothing to do: how much of a core it uses, in percent, over ten seconds.

``python -m bench.engine.idle empty|full URL FILE``. It has delivered before, so its connections are open and its files
written to.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.engine.backlog import database, with_backlog
from bench.engine.delivery import delivered
from bench.engine.figure import tell
from bench.engine.local import engine
from bench.engine.process import cpu_s
from bench.engine.receiver import reset, with_receiver
from bench.frame import Contender, Row

__all__ = ["ROWS"]

_OVER_S = 10.0
#: Time for what the deliveries before leave to do.
_SETTLE_S = 3.0
_DELIVERED_BEFORE = 500
_LIMIT_PERCENT = 1.0


def idle_percent(pid: int) -> float:
    """Processor time of process ``pid``, in percent of one core."""
    time.sleep(_SETTLE_S)
    began_s, used_s = time.monotonic(), cpu_s(pid)
    time.sleep(_OVER_S)
    return 100 * (cpu_s(pid) - used_s) / (time.monotonic() - began_s)


def main(which: str, url: str, full: Path) -> None:
    """One measure."""
    with database(which, full) as db, engine(db) as local:
        reset(url)
        delivered(local, _DELIVERED_BEFORE, url)
        tell(idle_percent(local.process.pid))


def _row(title: str, *arguments: str, backlog: bool) -> Row:
    return Row(
        title=f"engine: {title}",
        unit="% of a core",
        ours=Contender("qsops engine", "bench.engine.idle", arguments),
        rounds=1,
        limit=_LIMIT_PERCENT,
        prepare=with_backlog if backlog else with_receiver,
    )


ROWS = (
    _row("idle, empty", "empty", backlog=False),
    _row("idle, backlog of 1,000,000", "full", backlog=True),
)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3] if len(sys.argv) > 3 else "/nonexistent"))
