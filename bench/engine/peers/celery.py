"""Celery on Redis (AOF everysec): late acknowledgement, no results, no gossip.

``python -m bench.engine.peers.celery COUNT URL``; prints messages per second.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from bench.engine.figure import rate, tell
from bench.engine.payload import body
from bench.engine.process import LOOPBACK, running
from bench.engine.receiver import reached, reset
from bench.engine.redis import redis
from bench.frame import ROOT

_WARM_UP = 100
#: On two cores the fastest of threads (8, 16, 64), prefork (2) and gevent (16, 64), which doubled and lost some.
_POOL, _CONCURRENCY = "threads", "16"


def publish(first: int, count: int) -> float:
    """Send ``count`` tasks over one kept connection; when it began."""
    from bench.engine.peers.celery_app import app, deliver

    started_s = time.monotonic()
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(first, first + count):
            deliver.apply_async((body(number),), producer=producer)
    return started_s


def main(count: int, url: str) -> None:
    """One run on a new Redis."""
    with tempfile.TemporaryDirectory() as name, redis(Path(name), "everysec") as port:
        os.environ.update(BENCH_REDIS=f"redis://{LOOPBACK}:{port}/0", BENCH_RECEIVER=f"{url}/")
        argv = [sys.executable, "-m", "celery", "-A", "bench.engine.peers.celery_app:app", "worker"]
        argv += ["--pool", _POOL, "--concurrency", _CONCURRENCY, "--loglevel", "WARNING"]
        argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with running("worker", argv, Path(name), cwd=ROOT) as worker:
            reset(url)
            publish(count, _WARM_UP)
            reached(url, _WARM_UP)
            reset(url)
            figure, note = rate(count, publish(0, count), reached(url, count))
            worker.check()
        tell(figure, f"{_POOL} pool of {_CONCURRENCY}, acks late, AOF everysec{note}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
