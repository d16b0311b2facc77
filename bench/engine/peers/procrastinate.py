"""procrastinate on PostgreSQL with its defaults (fsync and synchronous_commit on): jobs deferred by a hundred.

``python -m bench.engine.peers.procrastinate COUNT URL``; prints messages per second.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.engine.figure import rate, tell
from bench.engine.payload import body, chunks
from bench.engine.process import running
from bench.engine.receiver import reached, reset
from bench.frame import ROOT
from bench.postgres import cluster

_WARM_UP = 100
_BATCH = 100


async def measure(count: int, url: str) -> tuple[float, str]:
    """Publish, and wait at the receiver."""
    from bench.engine.peers.procrastinate_app import app, deliver

    async def publish(first: int, size: int) -> float:
        started_s = time.monotonic()
        for numbers in chunks(first, size, _BATCH):
            await deliver.batch_defer_async(*({"body": body(number)} for number in numbers))
        return started_s

    async with app.open_async():
        await publish(count, _WARM_UP)
        await asyncio.to_thread(reached, url, _WARM_UP)
        reset(url)
        started_s = await publish(0, count)
        return rate(count, started_s, await asyncio.to_thread(reached, url, count))


async def prepare() -> None:
    """The tables."""
    from bench.engine.peers.procrastinate_app import app

    async with app.open_async():
        await app.schema_manager.apply_schema_async()


def main(count: int, url: str) -> None:
    """One run on a new cluster."""
    reset(url)
    with tempfile.TemporaryDirectory() as name, cluster() as postgres:
        os.environ.update(BENCH_POSTGRES=postgres.url(), BENCH_RECEIVER=f"{url}/")
        asyncio.run(prepare())
        argv = [sys.executable, "-m", "bench.engine.peers.procrastinate_app"]
        with running("worker", argv, Path(name), cwd=ROOT) as worker:
            figure, note = asyncio.run(measure(count, url))
            worker.check()
        tell(figure, f"async worker, fsync on{note}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
