"""Publish to delivered, durable, with the receiver on the same cores: our engine beside the queues people use instead.

``python -m bench.engine.delivery COUNT URL``; prints messages per second, from the first publish to the last arrival.
Every contender sends the same bodies to the same receiver, may try each message four times, and is warm when the time
begins.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.engine.figure import rate, tell
from bench.engine.loader import load
from bench.engine.local import LocalEngine, engine
from bench.engine.process import spending
from bench.engine.receiver import reached, reset, with_receiver
from bench.engine.requests import batches
from bench.frame import Contender, Peer, Row

__all__ = ["ROW", "delivered"]

WARM_UP = 500
_CONNECTIONS = 4


def delivered(local: LocalEngine, count: int, url: str) -> tuple[float, str]:
    """Messages per second through a running engine; the note tells what the engine itself spent on each."""
    _publish(local, count, WARM_UP, url)
    reached(url, WARM_UP)
    reset(url)
    with spending(local.process.pid, count) as spent:
        started_s = _publish(local, 0, count, url)
        figure, more = rate(count, started_s, reached(url, count))
    return figure, f"{spent.note()}{more}"


def _publish(local: LocalEngine, first: int, count: int, url: str) -> float:
    told = load(local.port, _CONNECTIONS, batches(url, first, count))
    told.expect(count)
    return told.started_s


def main(count: int, url: str) -> None:
    """Our engine, on a new file."""
    reset(url)
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder) / "engine.db") as local:
        figure, note = delivered(local, count, url)
        tell(figure, f"{local.durability()}, {note}")


_CELERY = ("celery[redis]", "requests")
_PROCRASTINATE = ("procrastinate", "psycopg[binary]", "aiohttp")

_COUNT = "10000"
#: A rate needs no more messages than this at some hundreds a second.
_FEW = "2000"

ROW = Row(
    title="engine: publish to delivered, durable",
    unit="messages/s",
    ours=Contender("qsops engine", "bench.engine.delivery", (_COUNT,)),
    peers=(
        Peer(Contender("BullMQ, AOF everysec", "bench.engine.peers.bullmq", ("deliver", "everysec", _COUNT)), goal=1.2),
        Peer(Contender("BullMQ, AOF always", "bench.engine.peers.bullmq", ("deliver", "always", _COUNT))),
        Peer(Contender("Celery", "bench.engine.peers.celery", (_FEW,), _CELERY), goal=10),
        Peer(Contender("procrastinate", "bench.engine.peers.procrastinate", (_FEW,), _PROCRASTINATE)),
    ),
    rounds=3,
    prepare=with_receiver,
)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
