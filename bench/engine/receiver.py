"""The receiver of all contenders: answers 200 at once, and counts what came and how much of it was distinct.

``python -m bench.engine.receiver`` prints its port and runs until standard input is closed. ``GET /reset`` counts anew;
``GET /reached/N`` is answered as soon as N distinct bodies have come, with the counts and the time of the last of them
on the clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.engine.answer import get
from bench.engine.http1 import Incomplete, take
from bench.engine.process import LOOPBACK, ProcessFailed
from bench.frame import ROOT

__all__ = ["Arrivals", "reached", "reset", "with_receiver"]

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
#: The longest that a contender waits for the last message.
WAIT_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What has come; the last body that none before was like, ``at_s`` on the machine's monotonic clock."""

    distinct: int
    total: int
    at_s: float


def reset(url: str) -> None:
    """Count anew."""
    get(f"{url}/reset", timeout_s=10)


def reached(url: str, count: int) -> Arrivals:
    """Wait for ``count`` distinct messages. :raises ProcessFailed: when they do not come within two minutes."""
    arrivals = Arrivals(**json.loads(get(f"{url}/reached/{count}", timeout_s=WAIT_LIMIT_S + 10)))
    if arrivals.distinct < count:
        raise ProcessFailed(f"{arrivals.distinct} of {count} messages arrived within {WAIT_LIMIT_S:g} s")
    return arrivals


def with_receiver() -> tuple[Sequence[str], Callable[[], None]]:
    """Start the receiver in a process of its own; its URL, and how to end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.engine.receiver"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    port = int(process.stdout.readline())

    def end() -> None:
        process.communicate(timeout=30)

    return [f"http://{LOOPBACK}:{port}"], end


class Counter:
    """The counts, and who waits for them."""

    def __init__(self) -> None:
        self._bodies: set[bytes] = set()
        self._total = 0
        self._last_s = 0.0
        self._awaited: tuple[int, asyncio.Event] | None = None

    def take(self, body: bytes) -> None:
        """One message."""
        self._total += 1
        if body in self._bodies:
            return
        self._bodies.add(body)
        self._last_s = time.monotonic()
        if self._awaited is not None and len(self._bodies) >= self._awaited[0]:
            self._awaited[1].set()

    def reset(self) -> None:
        """Forget all."""
        self._bodies.clear()
        self._total, self._awaited = 0, None

    async def reached(self, count: int) -> bytes:
        """The counts as JSON, once there are ``count`` distinct bodies or the time is up."""
        event = asyncio.Event()
        self._awaited = count, event
        if len(self._bodies) >= count:
            event.set()
        try:
            async with asyncio.timeout(WAIT_LIMIT_S):
                await event.wait()
        except TimeoutError:
            pass  # the answer tells how many came
        return json.dumps({"distinct": len(self._bodies), "total": self._total, "at_s": self._last_s}).encode()


class Receiver(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._buffer = bytearray()
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer:
            try:
                head, body, end = take(self._buffer)
            except Incomplete:
                return
            except ValueError as error:
                print(error, file=sys.stderr)
                self._transport.abort()
                return
            del self._buffer[:end]
            self._handle(head, body)

    def _handle(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST "):
            self._counter.take(body)
            self._transport.write(_OK)
            return
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/reached/"):
            self._answering = asyncio.ensure_future(self._answer(int(path.rpartition(b"/")[2])))
        else:
            self._counter.reset()
            self._transport.write(_OK)

    async def _answer(self, count: int) -> None:
        body = await self._counter.reached(count)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def main() -> None:
    """Serve on a free port of loopback until standard input is closed."""
    counter = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(counter), LOOPBACK, 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
