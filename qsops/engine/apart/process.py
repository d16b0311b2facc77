"""The process that delivers: takes errands from the engine's socket, and tells it what came of them.

It holds nothing that could be lost: an errand whose outcome the engine did not hear of is attempted again.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from typing import Final, cast

from qsops.clock import SystemClock, SystemIds
from qsops.config.ranges import Network
from qsops.engine.apart.frames import Frames, errands_of, outcomes_frame
from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.places import Places
from qsops.engine.deliveries.socket import SocketDeliveries
from qsops.engine.errands import Errand, Runner

__all__ = ["main"]

_COLLECTED_AFTER: Final = 50_000


def main(number: int, connections: int, reachable: tuple[Network, ...] | None) -> None:
    """Serve the socket with the file ``number`` until the engine closes it, or has died."""
    # Ctrl-C goes to the whole group; how to end is the engine's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, 20, 50)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(socket.socket(fileno=number), connections, reachable))


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # on Windows
        return None
    return cast(type[asyncio.AbstractEventLoop], uvloop.Loop)


async def _serve(connection: socket.socket, connections: int, reachable: tuple[Network, ...] | None) -> None:
    clock = SystemClock()
    async with SocketDeliveries(connections, Places(reachable)) as deliver:
        engine = _Engine(Runner(deliver, clock, SystemIds(clock)))
        await asyncio.get_running_loop().create_connection(lambda: engine, sock=connection)
        await engine.gone.wait()


class _Engine(asyncio.Protocol):
    """The engine at the other end. What comes of errands within one turn of the loop is told in one frame."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._frames = Frames()
        self._running: set[asyncio.Task[None]] = set()
        self._outcomes: list[tuple[int, Outcome]] = []
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(outcomes_frame([]))  # it is up

    def data_received(self, data: bytes) -> None:
        for content in self._frames.feed(data):
            for number, errand in errands_of(content):
                task = asyncio.create_task(self._run(number, errand))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self._running:
            task.cancel()
        self.gone.set()

    async def _run(self, number: int, errand: Errand) -> None:
        outcome = await self._runner.run(errand)
        if not self._outcomes:
            asyncio.get_running_loop().call_soon(self._tell)
        self._outcomes.append((number, outcome))

    def _tell(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        self._transport.write(outcomes_frame(outcomes))
