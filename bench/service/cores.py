"""The server has one core, the load the other: neither takes from the other what is measured."""

from __future__ import annotations

import os
import shutil

__all__ = ["SERVER_CORE", "pinned", "take_the_other"]

SERVER_CORE = 0


def pinned(argv: list[str]) -> list[str]:
    """``argv`` on the server's core, where this machine has a way to say so."""
    can = shutil.which("taskset") and (os.cpu_count() or 1) > 1
    return ["taskset", "-c", str(SERVER_CORE), *argv] if can else argv


def take_the_other() -> None:
    """This process leaves the server's core alone."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {SERVER_CORE})
