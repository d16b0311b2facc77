"""Waiting on another process, which can only be asked again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["BOUND_S", "until"]

T = TypeVar("T")

BOUND_S: Final = 60.0


def until(look: Callable[[], T | None], what: str, bound_s: float = BOUND_S, pause_s: float = 0.02) -> T:
    """What ``look`` finds, looked for every ``pause_s``.

    :raises AssertionError: naming ``what``, after ``bound_s``.
    """
    pause = threading.Event()
    for _ in range(int(bound_s / pause_s)):
        found = look()
        if found is not None:
            return found
        pause.wait(pause_s)
    raise AssertionError(f"waited {bound_s} s for {what}")
