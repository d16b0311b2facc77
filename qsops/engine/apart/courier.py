"""The engine's side of its process for deliveries."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from types import TracebackType
from typing import Final, Self, cast

from qsops.engine.apart.frames import Frames, errands_frame, outcomes_of
from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.courier import Courier, errand_of
from qsops.engine.engine import Engine
from qsops.engine.errands import Errand

__all__ = ["CourierApart"]

_log = logging.getLogger(__name__)

#: How long the process may take to end once its socket is closed.
_GRACE_S: Final = 5.0


class CourierApart:
    """An async context manager that makes attempts in another process, which keeps ``connections`` unused at most.

    Errands of one turn of the loop leave in one frame. Should the process die, what it held has failed with an error,
    to be tried again like any other, and the next errand starts another one. As long as faults are set, attempts are
    made ``at_home``, where the faults are.
    """

    def __init__(self, engine: Engine, connections: int, at_home: Courier) -> None:
        self._engine = engine
        self._connections = connections
        self._at_home = at_home
        self._process: asyncio.subprocess.Process | None = None
        self._line: _Line | None = None

    @property
    def process_id(self) -> int | None:
        """Of the process that makes attempts now."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            await _ended(self._process)

    def carry(self, attempt: Attempt) -> asyncio.Future[Outcome]:
        """As :meth:`~qsops.engine.courier.Carries.carry`."""
        if self._engine.faults.all():
            return asyncio.ensure_future(self._at_home.carry(attempt))
        errand = errand_of(self._engine, attempt)
        if self._line is None or self._line.is_closed:
            return asyncio.ensure_future(self._carry_anew(errand))
        return self._line.send(errand)

    async def _carry_anew(self, errand: Errand) -> Outcome:
        if self._line is None or self._line.is_closed:
            await self._start()
        assert self._line is not None
        return await self._line.send(errand)

    async def _start(self) -> None:
        self._line = line = _Line()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(*self._command(theirs), pass_fds=[theirs.fileno()])
        await asyncio.get_running_loop().create_connection(lambda: line, sock=ours)

    def _command(self, theirs: socket.socket) -> list[str]:
        reachable = self._engine.reachable
        networks = [] if reachable is None else [*map(str, reachable)] or ["-"]
        numbers = (str(theirs.fileno()), str(self._connections))
        return [sys.executable, "-m", "qsops.engine.apart", *numbers, *networks]


class _Line(asyncio.Protocol):
    """The socket to one process: numbered errands out, outcomes in."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._number = 0
        self._errands: list[tuple[int, Errand]] = []
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._is_up = False
        self.is_closed = False

    def send(self, errand: Errand) -> asyncio.Future[Outcome]:
        """What will have come of ``errand``."""
        loop = asyncio.get_running_loop()
        if not self._errands:
            loop.call_soon(self._flush)
        self._number += 1
        self._errands.append((self._number, errand))
        self._waiting[self._number] = outcome = loop.create_future()
        return outcome

    def close(self) -> None:
        """Hang up, which ends the process."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        for content in self._frames.feed(data):
            self._is_up = True  # it greets with an empty frame
            for number, outcome in outcomes_of(content):
                self._resolve(number, outcome)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_closed:
            _log.error("the process that delivers has ended; %s attempts are given up", len(self._waiting))
        self.is_closed = True
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            if one.done():
                continue
            if self._is_up:
                one.set_result(Outcome(error="the process that delivers has ended"))
            else:
                # To go on would spend the retries of every message.
                one.set_exception(RuntimeError("the process that delivers does not start; its own lines say why"))

    def _flush(self) -> None:
        if self._transport is None or not self._errands:
            return
        errands, self._errands = self._errands, []
        self._transport.write(errands_frame(errands))

    def _resolve(self, number: int, outcome: Outcome) -> None:
        waiting = self._waiting.pop(number)
        if not waiting.done():  # who waited may have been cancelled
            waiting.set_result(outcome)


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
