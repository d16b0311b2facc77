"""A log of many entries that takes its time for each page: ``python -m bench.pages ENTRIES DELAY_MS`` prints its port.

An entry each ten milliseconds, newest first, at most 1,000 a page, between the dates that are asked for.
"""

from __future__ import annotations

import asyncio
import sys

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
    """``entries`` of them; a page takes ``delay_s``."""

    def __init__(self, entries: int, delay_s: float) -> None:
        self._delay_s = delay_s
        self._lines = [
            (_ENTRY % (FROM_MS + n * STEP_MS, n // 3, _STATES[n % 3], n // 3, _BODY)).encode() for n in range(entries)
        ]

    async def page(self, request: web.Request) -> web.Response:
        """One page; the cursor is the number of its first entry."""
        await asyncio.sleep(self._delay_s)
        asked = request.query
        first = max(0, -(-(int(asked.get("fromDate", 0)) - FROM_MS) // STEP_MS))
        last = min(len(self._lines) - 1, (int(asked.get("toDate", 2**62)) - FROM_MS) // STEP_MS)
        at = min(last, int(asked.get("cursor", last)))
        begin = max(first, at - min(PAGE, int(asked.get("count", PAGE))) + 1)
        lines = b",".join(reversed(self._lines[begin : at + 1]))
        cursor = b',"cursor":"%d"' % (begin - 1) if begin > first else b""
        return web.Response(body=b'{"events":[%s]%s}' % (lines, cursor), content_type="application/json")


async def main(entries: int, delay_ms: int) -> None:
    """Serve on a free port of loopback until standard input is closed."""
    app = web.Application()
    app.router.add_get("/v2/events", Log(entries, delay_ms / 1000).page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
