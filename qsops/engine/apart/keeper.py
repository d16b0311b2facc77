"""The keeper of the process for deliveries: starts it, and another one when it has died."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from qsops.clock import Clock
from qsops.engine.apart.line import Line
from qsops.errors import QsopsError

__all__ = ["STARTS_LIMIT", "Keeper"]

_log = logging.getLogger(__name__)

#: How many processes in a row may end before they greet.
STARTS_LIMIT: Final = 5
#: How long one may take to greet, on the slowest of machines.
_GREETING_S: Final = 60.0
#: How long the process may take to end once its socket is closed.
_GRACE_S: Final = 5.0
#: One that is needed sooner after the last was started waits this long, then twice as long, and so on up to the most:
#: what kills each of them, be it an errand, is not to spin.
_STEADY_S: Final = 10.0
_LEAST_PAUSE_S: Final = 0.1
_MOST_PAUSE_S: Final = 5.0


class Keeper:
    """Runs one process at a time: ``command`` with the number of its socket's file. ``line`` is the one to it."""

    def __init__(self, command: Callable[[int], Sequence[str]], clock: Clock) -> None:
        self.line: Line | None = None
        self._command = command
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        #: Kept when it has failed, since no other would fare better.
        self._starting: asyncio.Task[None] | None = None
        self._started_s: float | None = None
        self._hasty = 0

    @property
    def process_id(self) -> int | None:
        """Of the process that runs, or ran last."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start a process, without waiting for it."""
        self._starting = asyncio.create_task(self._start())

    async def up(self) -> Line:
        """The line to a process that has greeted, which is started if there is none.

        :raises QsopsError: when none can be started.
        """
        while self.line is None or not self.line.is_up:
            if self._starting is None:
                self.start()
            assert self._starting is not None
            starting = self._starting
            await asyncio.wait([starting])  # which goes on if who waits is cancelled
            starting.result()
        return self.line

    async def aclose(self) -> None:
        """End the process, and start no other."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self.line is not None:
            self.line.close()
        await self._end(_GRACE_S)

    async def _start(self) -> None:
        for _ in range(STARTS_LIMIT):
            await self._end(0)  # nobody hears it any more
            await self._pause()
            try:
                self.line = await self._open()
                async with asyncio.timeout(_GREETING_S):
                    if await self.line.greeted:
                        self._starting = None
                        return
            except OSError as error:  # TimeoutError is one
                _log.warning("the process that delivers does not start: %s: %s", type(error).__name__, error)
        await self._end(_GRACE_S)
        fault = QsopsError(
            f"the process that delivers does not start ({self._how()}, {STARTS_LIMIT} times in a row): "
            "its own lines say why; --processes 1 does without it"
        )
        _log.error("%s", fault)
        raise fault

    async def _pause(self) -> None:
        """Wait, the longer the more were started in haste."""
        last_s, now_s = self._started_s, self._clock.monotonic_s()
        self._hasty = self._hasty + 1 if last_s is not None and now_s - last_s < _STEADY_S else 0
        pause_s = min(_LEAST_PAUSE_S * 2 ** (self._hasty - 1), _MOST_PAUSE_S) if self._hasty else 0.0
        if last_s is not None:
            _log.warning("the process that delivers: %s; another one starts in %s s", self._how(), pause_s)
        await asyncio.sleep(pause_s)
        self._started_s = self._clock.monotonic_s()

    async def _open(self) -> Line:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                number = theirs.fileno()
                self._process = await asyncio.create_subprocess_exec(*self._command(number), pass_fds=[number])
            _, line = await asyncio.get_running_loop().create_connection(Line, sock=ours)
        except BaseException:
            ours.close()
            raise
        return line

    async def _end(self, grace_s: float) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            async with asyncio.timeout(grace_s):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):  # it has just ended
                process.kill()
            await process.wait()

    def _how(self) -> str:
        """How the last one ended."""
        status = None if self._process is None else self._process.returncode
        if status is None:
            return "it could not be run"
        return f"signal {-status}" if status < 0 else f"exit status {status}"
