"""The handler: found by its name, run once for a delivery, whether it waits or blocks, and never for ever."""

from __future__ import annotations

import asyncio
import contextvars
import dis
import importlib
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from types import FunctionType
from typing import Any, Final, cast

from qsops.errors import SettingsError
from service.envelope import Event
from service.errors import HandlerTimeout, NoThread
from service.processing.tasks import Tasks
from service.processing.threads import Threads
from service.processing.transaction import BlockingTransaction, Delivery, Transaction
from service.store import Store

__all__ = ["AsyncHandler", "BlockingHandler", "Collected", "Handler", "Runner", "find", "patience_s"]

AsyncHandler = Callable[[Event, Transaction], Awaitable[None]]
BlockingHandler = Callable[[Event, BlockingTransaction], None]
Handler = AsyncHandler | BlockingHandler
Collected = Transaction | BlockingTransaction

#: What is left of QStash's patience for the commit and the way back, and at the most which part of it.
MARGIN_S: Final = 2.0
MARGIN_PART: Final = 0.2


def find(name: str) -> Handler:
    """The handler behind ``package.module:function``.

    :raises SettingsError: when there is none; QSOPS_HANDLER is what names it.
    """
    module_name, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"QSOPS_HANDLER {name!r} cannot be imported: {error}") from error
    if not callable(found):
        raise SettingsError(f"QSOPS_HANDLER {name!r} is no function")
    return cast("Handler", found)


def patience_s(timeout_s: float) -> float:
    """How long a handler may take, where QStash waits for ``timeout_s``: its answer has to come before that."""
    return timeout_s - min(MARGIN_S, timeout_s * MARGIN_PART)


class Runner:
    """Runs ``handler`` on the loop, or on one of ``threads`` if it blocks."""

    def __init__(self, handler: Handler, store: Store, threads: Threads | None = None) -> None:
        self._handler = handler
        self._store = store
        self._threads = threads or Threads()
        self._tasks = Tasks()
        self._run = self._block if not _waits(handler) else self._at_once if _never_waits(handler) else self._wait

    async def run(self, event: Event, delivery: Delivery) -> Collected:
        """What the handler collected. What it raises comes through.

        :raises HandlerTimeout: it took as long as QStash waits, but for a margin. One that waits was cancelled; one
            that blocks, or will not be cancelled, goes on, and whatever it collects is dropped.
        :raises NoThread: all threads are taken, or too many go on.
        """
        return await self._run(event, delivery)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown()

    async def _at_once(self, event: Event, delivery: Delivery) -> Collected:
        """A task and a timer, which :meth:`_wait` needs, are a twentieth of what a delivery costs."""
        transaction = Transaction(event, delivery, self._store)
        await cast("AsyncHandler", self._handler)(event, transaction)
        return transaction

    async def _wait(self, event: Event, delivery: Delivery) -> Collected:
        if self._tasks.exhausted:
            raise NoThread
        transaction = Transaction(event, delivery, self._store)
        limit_s = patience_s(delivery.timeout_s)
        # Half of what is left is for a handler that is slow to end, the other half for our answer.
        grace_s = (delivery.timeout_s - limit_s) / 2
        work = cast("Coroutine[Any, Any, None]", cast("AsyncHandler", self._handler)(event, transaction))
        await self._tasks.run(work, limit_s, grace_s)
        return transaction

    async def _block(self, event: Event, delivery: Delivery) -> Collected:
        if self._threads.exhausted:
            raise NoThread
        loop = asyncio.get_running_loop()
        transaction = BlockingTransaction(event, delivery, self._store, loop)
        limit_s = patience_s(delivery.timeout_s)
        context = contextvars.copy_context()
        # Whoever gets it first: the thread that runs the handler, or the loop that waits no longer.
        turn, ended = threading.Lock(), Future[None]()

        def job() -> None:
            if not turn.acquire(blocking=False):
                return
            try:
                context.run(cast("BlockingHandler", self._handler), event, transaction)
            finally:
                ended.set_result(None)

        running = loop.run_in_executor(self._threads, job)
        done, _ = await asyncio.wait([running], timeout=limit_s)
        if done:
            running.result()
            return transaction
        running.cancel()
        if turn.acquire(blocking=False):
            raise NoThread
        self._threads.give_up(ended)
        raise HandlerTimeout(limit_s)


def _waits(handler: Any) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def _never_waits(handler: Any) -> bool:
    """Whether no line of it awaits anything: then it ends within the turn of the loop in which it has begun."""
    return isinstance(handler, FunctionType) and all(step.opname != "SEND" for step in dis.get_instructions(handler))
