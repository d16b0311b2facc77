"""Work that is cut off when its time is over."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

__all__ = ["CutOff", "within"]

T = TypeVar("T")


class CutOff(Exception):
    """The time was over. Unlike a ``TimeoutError`` it comes from nowhere else."""


async def within(limit_s: float, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns. As ``asyncio.timeout``, but work that need not wait costs no timer.

    :raises CutOff: after ``limit_s``; ``work`` was cancelled.
    """
    try:
        awaited = work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    loop, task, fired = asyncio.get_running_loop(), asyncio.current_task(), []
    assert task is not None
    others = task.cancelling()

    def cut_off() -> None:
        fired.append(True)
        task.cancel()

    timer = loop.call_later(limit_s, cut_off)
    try:
        return await _go_on(work, awaited)
    except asyncio.CancelledError as error:
        if fired and task.uncancel() <= others:
            raise CutOff from error
        raise
    finally:
        timer.cancel()


@types.coroutine
def _go_on(work: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """The rest of ``work``, which has begun and waits for ``awaited``."""
    try:
        while True:
            try:
                sent = yield awaited
            except BaseException as error:  # noqa: BLE001  # a cancellation, or whatever it is that work is to be told
                awaited = work.throw(error)
            else:
                awaited = work.send(sent)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        work.close()
