"""Tasks of their own for handlers that wait: cancelled when their time is over, and left behind if they go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from service.errors import HandlerCancelled, HandlerStuck, HandlerTimeout

__all__ = ["STUCK", "Tasks"]

#: So many may go on at a time after they were cut off; no handler is begun beside them.
STUCK: Final = 64

_Work = Coroutine[Any, Any, None]


class Tasks:
    """Waits for handlers, but for none longer than it may take; at most ``limit`` go on unwaited for."""

    def __init__(self, limit: int = STUCK) -> None:
        self._limit = limit
        # Held here, since the loop itself keeps no task from being collected.
        self._stuck: set[asyncio.Task[None]] = set()

    @property
    def exhausted(self) -> bool:
        """As many go on as may."""
        return len(self._stuck) >= self._limit

    async def run(self, work: _Work, limit_s: float, grace_s: float) -> None:
        """Wait for ``work``. What it raises comes through.

        :raises HandlerTimeout: it was cancelled after ``limit_s``, and ended.
        :raises HandlerStuck: it was, and has not ended within another ``grace_s``.
        :raises HandlerCancelled: it was cancelled, though not by us.
        """
        loop = asyncio.get_running_loop()
        task, woken, is_cut_off = loop.create_task(work), loop.create_future(), False

        def wake(_: object = None) -> None:
            if not woken.done():
                woken.set_result(None)

        def cut_off() -> None:
            nonlocal is_cut_off
            is_cut_off = True
            task.cancel()
            loop.call_later(grace_s, wake)

        task.add_done_callback(wake)
        timer = loop.call_later(limit_s, cut_off)
        try:
            await woken
        except asyncio.CancelledError:
            task.cancel()
            self._let_go(task)
            raise
        finally:
            timer.cancel()
        if not task.done():
            self._let_go(task)
            raise HandlerStuck(limit_s)
        if task.cancelled():
            raise HandlerTimeout(limit_s) if is_cut_off else HandlerCancelled
        task.result()

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._stuck.add(task)
        task.add_done_callback(self._came_back)

    def _came_back(self, task: asyncio.Task[None]) -> None:
        self._stuck.discard(task)
        if not task.cancelled():
            task.exception()  # nobody else asks for it, and that would be told in the log with its words
