"""Verbs of the archive in processes of their own, which can be killed at any time.

They are forked from one that has loaded everything and done nothing: to load it takes longer than to sync.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["Verb"]

BOUND_S: Final = 60.0
_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "qsops.cli",
        "qsops.session",
        "qsops.session.archives",
        "qsops.archive.delta",
        "qsops.trace",
        "pandas",
        "tqdm.auto",
    ]
)


class Verb:
    """``qsops`` with ``arguments``, running; what it writes goes to a file."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], output: Path) -> None:
        self._output = output
        self._process = _FORKS.Process(target=_run, args=(arguments, dict(environment), str(output)))
        self._process.start()

    def killed_after(self, seconds: float) -> bool:
        """Kill it (SIGKILL), unless it ends within ``seconds``: whether it had to be."""
        self._process.join(seconds)
        is_running = self._process.is_alive()
        self._process.kill()
        self._process.join(BOUND_S)
        return is_running

    def ended(self) -> tuple[int, str]:
        """Wait for its end: the exit status, and what it wrote."""
        self._process.join(BOUND_S)
        assert self._process.exitcode is not None, f"qsops did not end within {BOUND_S} s"
        return self._process.exitcode, self._output.read_text()


def _run(arguments: list[str], environment: dict[str, str], output: str) -> None:
    os.environ.update(environment)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["qsops", *arguments]
    from qsops.cli import main

    main()
