"""procrastinate's application: one task that posts a body, as its worker and its publisher import it.

``python -m bench.engine.peers.procrastinate_app`` is the worker.
"""

from __future__ import annotations

import asyncio
import os

import aiohttp
from procrastinate import App, PsycopgConnector, RetryStrategy

__all__ = ["app", "deliver"]

#: 4, 16 and 64 gave the same: its jobs are fetched one by one.
_CONCURRENCY = 16
_URL = os.environ["BENCH_RECEIVER"]

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_POSTGRES"], min_size=4, max_size=8))
_sessions: list[aiohttp.ClientSession] = []


@app.task(name="deliver", retry=RetryStrategy(max_attempts=4, exponential_wait=2))
async def deliver(body: str) -> None:
    """Post ``body``; four attempts."""
    headers = {"Content-Type": "application/json"}
    async with _sessions[0].post(_URL, data=body.encode(), headers=headers) as answer:
        answer.raise_for_status()
        await answer.read()


async def work() -> None:
    """Run jobs until told to end; finished ones are deleted, as those of the other peers are."""
    async with app.open_async(), aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONCURRENCY)) as session:
        _sessions.append(session)
        await app.run_worker_async(concurrency=_CONCURRENCY, delete_jobs="successful")


if __name__ == "__main__":
    asyncio.run(work())
