"""Being stopped: SIGTERM and a closed terminal end what runs as Ctrl-C does, so that children are stopped in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["interruptible"]

_ALSO = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise ``KeyboardInterrupt`` inside; what they did before is restored. Main thread only."""
    before: dict[signal.Signals, Any] = {number: signal.signal(number, _interrupt) for number in _ALSO}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
