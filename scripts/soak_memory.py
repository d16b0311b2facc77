"""Keep the engine at work for an hour, and see that its memory stays where it was.

``python -m scripts.soak_memory [--minutes 60] [--rate 200]`` from the root of the project. A steady load of everything
that leaves traces in memory: messages in batches with ids of their own, labels, queues, flow control, retries that
succeed at the third attempt, dead letters, cancels, pages of the log. Exit status 1 when memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import aiohttp
from aiohttp import web

from bench.engine.local import TOKEN, LocalEngine, engine
from bench.engine.process import memory_mb
from qsops.clock import SystemClock

_TICK_S: Final = 1.0
_SAMPLE_S: Final = 15.0
#: What the last quarter may lie above the second: the first is warming up.
_GROWTH_MB: Final = 12.0


@dataclass(slots=True)
class Receiver:
    """Answers 200; what is marked so fails twice, or always."""

    received: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        await request.read()
        self.received += 1
        if request.path == "/dead":
            return web.Response(status=500)
        if request.path == "/third":
            number = int(request.headers["Upstash-Retried"])
            return web.Response(status=200 if number >= 2 else 503)
        return web.Response()


def items(url: str, tick: int, rate: int) -> list[dict[str, Any]]:
    """The messages of one second."""
    made = []
    for number in range(rate):
        kind = number % 20
        headers = {
            "Upstash-Deduplication-Id": f"{tick}-{number}",
            "Upstash-Label": f"order-{tick}-{number}" if kind == 1 else f"label-{kind}",
            "Upstash-Retry-Delay": "500",
            "Upstash-Forward-X-Number": str(number),
        }
        path = {2: "/third", 3: "/dead"}.get(kind, "/ok")
        if kind == 3:
            headers["Upstash-Retries"] = "1"
        if kind == 4:
            headers |= {"Upstash-Flow-Control-Key": f"key-{number % 3}", "Upstash-Flow-Control-Value": "parallelism=5"}
        if kind == 5:
            headers["Upstash-Delay"] = "30s"
        item = {"destination": url + path, "headers": headers, "body": json.dumps({"n": number, "t": "x" * 200})}
        made.append({**item, "queue": f"queue-{number % 2}"} if kind == 6 else item)
    return made


async def ask(session: aiohttp.ClientSession, method: str, url: str, **what: Any) -> Any:
    """The JSON of a 200; any other answer ends the soak."""
    async with session.request(method, url, **what) as answer:
        if answer.status != 200:
            raise SystemExit(f"{method} {url} was answered {answer.status}: {(await answer.text())[:200]}")
        return await answer.json()


async def load(local: LocalEngine, url: str, minutes: float, rate: int) -> list[float]:
    """Publish, cancel and read once a second; returns the engine's resident memory in MB, a sample each 15 s."""
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    samples: list[float] = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        for tick in range(int(minutes * 60 / _TICK_S)):
            told = await ask(session, "POST", f"{local.url}/v2/batch", json=items(url, tick, rate))
            refused = [one for one in told if "messageId" not in one]
            if refused:
                raise SystemExit(f"the engine refused {len(refused)} messages: {refused[0]}")
            await ask(session, "DELETE", f"{local.url}/v2/messages?label=label-5&count=5")
            await ask(session, "GET", f"{local.url}/v2/events?count=200&label=order-{tick}-1")
            if tick * _TICK_S % _SAMPLE_S == 0:
                samples.append(memory_mb(local.process.pid)[0])
            await asyncio.sleep(max(0.0, begun_s + (tick + 1) * _TICK_S - clock.monotonic_s()))
    return samples


async def soak(minutes: float, rate: int, folder: Path) -> tuple[list[float], int]:
    """The samples, and how many requests the receiver got."""
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    with engine(folder / "engine.db") as local:
        samples = await load(local, f"http://{host}:{port}", minutes, rate)
    await runner.cleanup()
    return samples, receiver.received


def main() -> int:
    """Run, print one line that sums up, and say whether memory stayed flat."""
    parser = argparse.ArgumentParser(description="Watch the engine's memory under load; example: --minutes 60")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=200, help="messages a second")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples, received = asyncio.run(soak(arguments.minutes, arguments.rate, Path(folder)))
    quarter = max(1, len(samples) // 4)
    early, late = median(samples[quarter : 2 * quarter]), median(samples[-quarter:])
    flat = late - early <= _GROWTH_MB
    print(
        f"memory: {early:.1f} MB in the second quarter, {late:.1f} MB in the last, {max(samples):.1f} MB at most; "
        f"{arguments.minutes:g} minutes at {arguments.rate} messages a second, {received} deliveries: "
        f"{'flat' if flat else 'it grows'}"
    )
    return int(not flat)


if __name__ == "__main__":
    sys.exit(main())
