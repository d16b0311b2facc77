"""A log of many entries that takes its time for each page.

``python -m bench.pages ENTRIES DELAY_MS [LIMIT]`` prints its port; with a limit it advertises so many requests a
second, answers what is above them with 429, and tells at ``/refused`` how many that were.

An entry each ten milliseconds, newest first, at most 1,000 a page, between the dates that are asked for.
"""

from __future__ import annotations

import asyncio
import sys
import time

from aiohttp import web

__all__ = ["FROM_MS", "STEP_MS"]

FROM_MS = 1_767_225_600_000
STEP_MS = 10
PAGE = 1_000
_STATES = ("CREATED", "ACTIVE", "DELIVERED")
_ENTRY = (
    '{"time":%d,"messageId":"msg_%d","state":"%s","url":"https://consumer.example.com/api/qstash/instagram-ingestion",'
    '"label":"messages","labels":["messages"],"method":"POST","maxRetries":5,"timeout":30000,"callerIP":"203.0.113.7",'
    '"failureCallback":"https://consumer.example.com/api/qstash/failure",'
    '"header":{"Content-Type":["application/json"],"Qsops-Event-Id":["%d"]},"body":"%s"}'
)
_BODY = "eyJpZCI6MCwidGV4dCI6ImhlbGxvIn0=" * 6


class Log:
    """``entries`` of them; a page takes ``delay_s``, and at most ``limit`` begin within a second."""

    def __init__(self, entries: int, delay_s: float, limit: int | None = None) -> None:
        self._delay_s = delay_s
        self._limit = limit
        self._second = 0
        self._taken = 0
        self._refused = 0
        self._lines = [
            (_ENTRY % (FROM_MS + n * STEP_MS, n // 3, _STATES[n % 3], n // 3, _BODY)).encode() for n in range(entries)
        ]

    async def page(self, request: web.Request) -> web.Response:
        """One page; the cursor is the number of its first entry."""
        told = self._told()
        if self._limit and self._taken > self._limit:
            self._refused += 1
            return web.Response(status=429, headers=told, body=b'{"error":"burst"}', content_type="application/json")
        await asyncio.sleep(self._delay_s)
        asked = request.query
        first = max(0, -(-(int(asked.get("fromDate", 0)) - FROM_MS) // STEP_MS))
        last = min(len(self._lines) - 1, (int(asked.get("toDate", 2**62)) - FROM_MS) // STEP_MS)
        at = min(last, int(asked.get("cursor", last)))
        begin = max(first, at - min(PAGE, int(asked.get("count", PAGE))) + 1)
        lines = b",".join(reversed(self._lines[begin : at + 1]))
        cursor = b',"cursor":"%d"' % (begin - 1) if begin > first else b""
        body = b'{"events":[%s]%s}' % (lines, cursor)
        return web.Response(headers=told, body=body, content_type="application/json")

    async def refused(self, _: web.Request) -> web.Response:
        """How many requests were above the limit."""
        return web.Response(text=str(self._refused))

    def _told(self) -> dict[str, str]:
        """Count a request; what its answer says of the limit."""
        if self._limit is None:
            return {}
        second = int(time.time())
        self._taken = self._taken + 1 if second == self._second else 1
        self._second = second
        left = max(0, self._limit - self._taken)
        told = {"Limit": self._limit, "Remaining": left, "Reset": second + 1}
        return {f"Burst-RateLimit-{name}": str(value) for name, value in told.items()}


async def main(entries: int, delay_ms: int, limit: int | None = None) -> None:
    """Serve on a free port of loopback until standard input is closed."""
    app = web.Application()
    log = Log(entries, delay_ms / 1000, limit)
    app.router.add_get("/v2/events", log.page)
    app.router.add_get("/refused", log.refused)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
