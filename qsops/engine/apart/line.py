"""The line to a process for deliveries: numbered errands out, outcomes in."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

from qsops.engine.apart.frames import Frames, errands_frame, outcomes_of
from qsops.engine.core.attempts import Outcome
from qsops.engine.errands import Errand

__all__ = ["Line"]

_log = logging.getLogger(__name__)


class Line(asyncio.Protocol):
    """The engine's end of a socket. Errands of one turn of the loop leave in one frame.

    ``is_up`` from the process's greeting on until either end hangs up; ``greeted`` is false if that never came.
    """

    def __init__(self) -> None:
        self.is_up = False
        self.greeted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._number = 0
        self._errands: list[tuple[int, Errand]] = []
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._hung_up = False

    def send(self, errand: Errand) -> asyncio.Future[Outcome]:
        """What will have come of ``errand``; cancelled if the process dies before it is told. For a line that is up."""
        loop = asyncio.get_running_loop()
        if not self._errands:
            loop.call_soon(self._flush)
        self._number += 1
        self._errands.append((self._number, errand))
        self._waiting[self._number] = outcome = loop.create_future()
        return outcome

    def close(self) -> None:
        """Hang up, which ends the process."""
        self.is_up = False
        self._hung_up = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for content in self._frames.feed(data):
            if not self.greeted.done():
                self.is_up = True  # it greets with an empty frame
                self.greeted.set_result(True)
            for number, outcome in outcomes_of(content):
                self._resolve(number, outcome)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_up = False
        if not self.greeted.done():
            self.greeted.set_result(False)
        waiting = [one for one in self._waiting.values() if not one.done()]
        self._waiting.clear()
        self._errands.clear()
        if not self._hung_up:
            _log.error("the process that delivers has ended%s", _given_up(len(waiting)))
        for one in waiting:
            one.cancel()

    def _flush(self) -> None:
        if self._transport is None or not self._errands:
            return
        errands, self._errands = self._errands, []
        self._transport.write(errands_frame(errands))

    def _resolve(self, number: int, outcome: Outcome) -> None:
        waiting = self._waiting.pop(number)
        if not waiting.done():  # who waited may have been cancelled
            waiting.set_result(outcome)


def _given_up(count: int) -> str:
    if not count:
        return ""
    if count == 1:
        return "; 1 attempt is made again, since nobody knows what came of it"
    return f"; {count} attempts are made again, since nobody knows what came of them"
