"""The lifespan of an ASGI application in this process: started once, stopped once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from qsops.errors import SettingsError

__all__ = ["AsgiApp", "Lifespan"]

_Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]


class Lifespan:
    """Of ``app``; an application that knows no lifespan is left alone. ``state`` is what it hands to its requests."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._running: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._is_up = False
        self._inbox: asyncio.Queue[_Message] = asyncio.Queue()
        self._answers: asyncio.Queue[_Message] = asyncio.Queue()
        self.state: dict[str, Any] = {}

    async def start(self) -> None:
        """Wait until the application says that it is up. Only the first call starts it.

        :raises SettingsError: when it says that it cannot start.
        """
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        # A delivery that loses patience must not tear down what the next one waits for.
        await asyncio.shield(self._starting)

    async def stop(self) -> None:
        """Tell the application to stop, and wait for it."""
        if self._running is None:
            return
        running, self._running = self._running, None
        if self._is_up:
            await self._say(running, "lifespan.shutdown")
            await running

    async def _start(self) -> None:
        self._running = asyncio.create_task(self._run())
        answer = await self._say(self._running, "lifespan.startup")
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            raise SettingsError(f"the mounted application did not start: {answer.get('message', '')}")
        self._is_up = answer is not None

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        await self._app(scope, self._inbox.get, self._answers.put)

    async def _say(self, running: asyncio.Task[None], kind: str) -> _Message | None:
        """Say ``kind`` and wait for the answer; None if the application has ended without one."""
        self._inbox.put_nowait({"type": kind})
        answer = asyncio.create_task(self._answers.get())
        await asyncio.wait({running, answer}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        # Raising is how an application says, by the ASGI specification, that it does without a lifespan.
        running.exception()
        return None
