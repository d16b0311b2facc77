"""A stand-in for QStash that accepts everything after a fixed time and counts what reached it.

``python -m bench.stub DELAY_MS`` prints its port. ``GET /count`` answers how many distinct messages were accepted.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

from aiohttp import web


class Stub:
    """Answers publish and batch after ``delay_s``, as fast as its one core allows."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._number = itertools.count()
        self._bodies: set[str] = set()

    async def publish(self, request: web.Request) -> web.Response:
        """One message."""
        self._bodies.add(await request.text())
        await asyncio.sleep(self._delay_s)
        return web.json_response({"messageId": f"msg_{next(self._number)}"})

    async def batch(self, request: web.Request) -> web.Response:
        """Many messages."""
        items = json.loads(await request.read())
        self._bodies.update(item["body"] for item in items)
        await asyncio.sleep(self._delay_s)
        return web.json_response([{"messageId": f"msg_{next(self._number)}"} for _ in items])

    async def count(self, _request: web.Request) -> web.Response:
        """How many distinct bodies came; the count starts again."""
        number = len(self._bodies)
        self._bodies.clear()
        return web.json_response({"distinct": number})


async def main(delay_ms: int) -> None:
    """Serve on a free port of loopback until standard input is closed."""
    stub = Stub(delay_ms / 1000)
    app = web.Application(client_max_size=128 * 1024 * 1024)
    app.router.add_post("/v2/batch", stub.batch)
    app.router.add_post("/v2/publish/{destination:.*}", stub.publish)
    app.router.add_get("/count", stub.count)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
