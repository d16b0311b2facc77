"""Messages accepted over HTTP, durable: one a request over 64 connections, and a hundred a request.

``python -m bench.engine.accepting single|batch COUNT``; prints messages per second. They are held up by an hour, so
that no delivery runs beside.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.engine.figure import tell
from bench.engine.loader import Load, load
from bench.engine.local import LocalEngine, engine
from bench.engine.process import spending
from bench.engine.requests import batches, singles
from bench.frame import Contender, Peer, Row

__all__ = ["ROWS", "accepted"]

_DESTINATION = "https://consumer.example.com/hook"
_DELAY = "1h"
#: Single requests come from many clients, batches from few.
_CONNECTIONS = {"single": 64, "batch": 4}
_WARM_UP = 1_000


def accepted(local: LocalEngine, how: str, count: int) -> tuple[float, str]:
    """Messages per second that a running engine accepts; the note tells what it spent on each."""
    _send(local, how, count, _WARM_UP)
    with spending(local.process.pid, count) as spent:
        told = _send(local, how, 0, count)
    return count / told.seconds, spent.note()


def _send(local: LocalEngine, how: str, first: int, count: int) -> Load:
    made = {"single": singles, "batch": batches}[how](_DESTINATION, first, count, delay=_DELAY)
    told = load(local.port, _CONNECTIONS[how], made)
    told.expect(count)
    return told


def main(how: str, count: int) -> None:
    """Our engine, on a new file."""
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder) / "engine.db") as local:
        figure, note = accepted(local, how, count)
        tell(figure, f"{local.durability()}, {note}")


def _row(title: str, how: str, count: int, floor: float) -> Row:
    return Row(
        title=title,
        unit="messages/s",
        ours=Contender("qsops engine", "bench.engine.accepting", (how, str(count))),
        peers=(
            Peer(Contender("BullMQ, AOF everysec", "bench.engine.peers.bullmq", (how, "everysec", str(count)))),
            Peer(Contender("BullMQ, AOF always", "bench.engine.peers.bullmq", (how, "always", str(count)))),
        ),
        rounds=3,
        floor=floor,
    )


ROWS = (
    _row("engine: single publishes accepted, 64 connections", "single", 12_000, 3_000),
    _row("engine: messages accepted in batches of 100", "batch", 80_000, 20_000),
)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
