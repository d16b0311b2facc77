"""QStash behind a port of this machine, under its clock."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from qsops.clock import Clock, SystemClock, SystemIds
from qsops.engine.access import LOCAL, Access
from qsops.engine.apart.courier import CourierApart
from qsops.engine.asgi import asgi_app
from qsops.engine.courier import Carries, Courier
from qsops.engine.deliveries.lifespan import AsgiApp
from qsops.engine.deliveries.places import Places
from qsops.engine.deliveries.socket import SocketDeliveries
from qsops.engine.driver import IN_FLIGHT_LIMIT, Driver
from qsops.engine.engine import Engine, open_engine
from qsops.engine.face.guard import HEAD_LIMIT, Names
from qsops.engine.face.router import Face
from qsops.engine.faults.deliveries import FaultyDeliveries
from qsops.engine.faults.running import Faults
from qsops.engine.listening import address_of, is_loopback, listen, sole_owner, write_whole
from qsops.engine.protocol import http_protocol

__all__ = ["Server", "serve", "serving"]

#: How long a stop waits for what is in flight; the rest is repeated by the next start, under the same ids.
STOP_GRACE_S: Final = 5
#: How many more objects than before make Python look for cycles among the youngest.
_COLLECTED_AFTER: Final = 50_000


def serve(
    served: AbstractAsyncContextManager[Server],
    *,
    port_file: Path | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run what :func:`serving` has prepared until SIGINT or SIGTERM; raises as that does.

    ``port_file`` is written once requests are answered; it holds the port's number. ``on_ready`` gets the URL.
    """

    async def run() -> None:
        async with served as server:
            _stop_on_signals(server)
            _collect_rarely()
            if port_file is not None:
                write_whole(port_file, f"{server.port}\n")
            if on_ready is not None:
                on_ready(server.url)
            await server.stopped()

    # uvicorn knows whether uvloop is there.
    with asyncio.Runner(loop_factory=_config(asgi=_no_app).get_loop_factory()) as runner:
        runner.run(run())


def _collect_rarely() -> None:
    """Look for cycles less often: each delivery makes a hundred objects and no cycle, and looking took a tenth of it.

    Only in a process that does nothing else.
    """
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, 20, 50)


class Server:
    """A served engine: where it answers, and how it is stopped."""

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end; :meth:`stopped` returns then."""
        self._stop.set()

    async def stopped(self) -> None:
        """Wait until the end is asked for, or has come by itself."""
        await self._stop.wait()


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1",
    port: int = 0,
    db: str | Path = ":memory:",
    *,
    quota: str = "payg",
    access: Access = LOCAL,
    region: str | None = None,
    burst_limit: int | None = None,
    daily_limit: int | None = None,
    faults: Sequence[str] = (),
    seed: int = 0,
    processes: int = 1,
    in_flight_limit: int = IN_FLIGHT_LIMIT,
) -> AsyncIterator[Server]:
    """An engine that answers and delivers within the context, on the running loop. Port 0 takes a free one.

    ``faults`` are set from the start, as ``parse_fault`` reads them; ``seed`` decides whom they meet. With two
    ``processes`` messages are accepted in one and delivered from the other, a core each.

    :raises SettingsError: when others reach ``host`` and there is no token to keep them out, the port is taken, another
        engine runs on ``db``, or there is no such plan, region or fault.
    :raises Corrupt: when ``db`` cannot be read.
    """
    clock = SystemClock()
    address, set_faults = address_of(host), _faults(clock, faults, seed)
    exposed = access.is_exposed(host, on_loopback=is_loopback(address))
    with listen(address, port) as listener, sole_owner(db):
        awake = asyncio.Event()
        engine = open_engine(
            db,
            clock=clock,
            ids=SystemIds(clock),
            quota=quota,
            wake=awake.set,
            faults=set_faults,
            own_token=access.token,
            read_only_token=access.read_only_token,
            dev_users=not exposed,
            region=region,
            burst_limit=burst_limit,
            daily_limit=daily_limit,
            reachable=access.reachable(exposed),
        )
        try:
            server = Server(host, listener.getsockname()[1])
            names = Names(access.names, loopback=is_loopback(address))
            async with (
                _driving(engine, awake, server, in_flight_limit, processes),
                _answering(engine, listener, server, names),
            ):
                yield server
        finally:
            engine.database.close()


def _faults(clock: Clock, texts: Sequence[str], seed: int) -> Faults:
    faults = Faults(clock, seed)
    for text in texts:
        faults.add(text)
    return faults


@asynccontextmanager
async def _driving(
    engine: Engine, awake: asyncio.Event, server: Server, limit: int, processes: int
) -> AsyncIterator[None]:
    async with _carrying(engine, limit, processes) as courier:
        driver = Driver(engine, courier, awake, limit)
        running = asyncio.create_task(driver.run())
        # A driver that fails by a fault of ours ends the server: better no engine than one that delivers nothing.
        running.add_done_callback(lambda _: server.stop())
        try:
            yield
        finally:
            running.cancel()
            await driver.drain(STOP_GRACE_S)
            await _ended(running)


@asynccontextmanager
async def _carrying(engine: Engine, limit: int, processes: int) -> AsyncIterator[Carries]:
    async with SocketDeliveries(limit, Places(engine.reachable)) as deliver:
        at_home = Courier(engine, FaultyDeliveries(deliver, engine.faults))
        if processes == 1:
            yield at_home
            return
        async with CourierApart(engine, limit, at_home) as courier:
            yield courier


@asynccontextmanager
async def _answering(engine: Engine, listener: socket.socket, server: Server, names: Names) -> AsyncIterator[None]:
    http = _Http(_config(asgi_app(Face(engine), names)))
    running = asyncio.create_task(http.serve([listener]))
    running.add_done_callback(lambda _: server.stop())
    try:
        await http.ready.wait()
        yield
    finally:
        http.should_exit = True
        await running


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a task that was cancelled, and pass on what else it may have ended with."""
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


class _Http(uvicorn.Server):
    """uvicorn, which says when it is ready, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _config(asgi: AsgiApp) -> uvicorn.Config:
    return uvicorn.Config(
        asgi,
        http=http_protocol(),
        h11_max_incomplete_event_size=HEAD_LIMIT,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_GRACE_S,
    )


async def _no_app(*_: object) -> None:
    """Stands where only uvicorn's choice of a loop is asked for."""


def _stop_on_signals(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
