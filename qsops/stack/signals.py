"""Being stopped: Ctrl-C, SIGTERM and a closed terminal end what runs alike, and never between two halves of a step."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["interruptible", "uninterrupted"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class _Stop:
    """Signals are a matter of the whole process, and so is this: who holds them off, what waits, and what was heard."""

    holders: int = 0
    waiting: signal.Signals | None = None
    heard: bool = False


_stop = _Stop()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP raise ``KeyboardInterrupt`` inside; further ones change nothing.

    A second one would strike the cleaning up, which has its own bounds. Afterwards signals do what they did before. For
    the main thread alone.
    """
    _stop.heard = False
    before: dict[signal.Signals, Any] = {number: signal.signal(number, _interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold a signal off until the end of this block: a child that runs but is not yet known would be left behind."""
    _stop.holders += 1
    try:
        yield
    finally:
        _stop.holders -= 1
        if _stop.waiting is not None and not _stop.holders:
            waiting, _stop.waiting = _stop.waiting, None
            _stop.heard = True
            raise KeyboardInterrupt(waiting.name)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    if _stop.heard:
        return
    if _stop.holders:
        _stop.waiting = signal.Signals(number)
        return
    _stop.heard = True
    raise KeyboardInterrupt(signal.Signals(number).name)
