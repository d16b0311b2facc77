"""The handler: found by its name, run once for a delivery, whether it waits or blocks."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, cast

from qsops.errors import SettingsError
from service.envelope import Event
from service.processing.transaction import BlockingTransaction, Delivery, Transaction
from service.store import Store

__all__ = ["AsyncHandler", "BlockingHandler", "Collected", "Handler", "find", "run"]

AsyncHandler = Callable[[Event, Transaction], Awaitable[None]]
BlockingHandler = Callable[[Event, BlockingTransaction], None]
Handler = AsyncHandler | BlockingHandler
Collected = Transaction | BlockingTransaction


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


async def run(handler: Handler, event: Event, delivery: Delivery, store: Store) -> Collected:
    """Run ``handler`` and return what it collected. What it raises comes through."""
    if _waits(handler):
        transaction = Transaction(event, delivery, store)
        await cast("AsyncHandler", handler)(event, transaction)
        return transaction
    blocking = BlockingTransaction(event, delivery, store, asyncio.get_running_loop())
    await asyncio.to_thread(cast("BlockingHandler", handler), event, blocking)
    return blocking


def _waits(handler: Any) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
