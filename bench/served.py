"""A server of the benchmark in a process of its own, which prints its port and ends with its standard input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

from bench.frame import ROOT

__all__ = ["served"]


def served(module: str, *arguments: str) -> tuple[Sequence[str], Callable[[], None]]:
    """Start ``python -m module``; its URL, and how to end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    port = int(process.stdout.readline())

    def end() -> None:
        process.communicate(timeout=30)

    return [f"http://127.0.0.1:{port}"], end
