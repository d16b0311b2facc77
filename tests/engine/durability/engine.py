"""``qsops engine`` as a process of its own: started over a file, killed, held, and started again on the same port.

Its process for deliveries can be told from it, and killed alone.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.standins.processes import ChildProcess

__all__ = ["HEADERS", "EngineProcess"]

_PROJECT: Final = Path(__file__).parents[3]
# The vendor's public development user 1 (reference 14).
_TOKEN: Final = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
_SAID_LINES: Final = 40
HEADERS: Final = {"Authorization": f"Bearer {_TOKEN}"}


class EngineProcess(ChildProcess):
    """Answers at ``url`` once made. ``environment`` is told to it beside what every child gets."""

    def __init__(self, database: Path, port: int = 0, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "qsops", "engine", "--port", str(port), "--db", str(database)]
        told = {"PYTHONPATH": str(_PROJECT), "QSOPS_DOTENV": "off", **(environment or {})}
        super().__init__(command, cwd=database.parent, environment=told)
        self.url, number = self.wait_for_line(r"engine: (http://[^ ]+:(\d+))").groups()
        self.port = int(number)

    def said(self) -> str:
        """The first that it printed since it was ready: nothing, unless something went wrong."""
        lines: list[str] = []
        while not self._lines.empty() and len(lines) < _SAID_LINES:
            lines.append(self._lines.get() or "")
        return "".join(lines)

    def deliverer(self) -> int | None:
        """The id of its process for deliveries, if there is one just now."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):  # it has ended meanwhile
                if re.search(rf"^PPid:\t{self.pid}$", status.read_text(), re.MULTILINE):
                    command = status.with_name("cmdline").read_bytes()
                    if b"qsops.engine.apart" in command:
                        return int(status.parent.name)
        return None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Not one instruction of it runs within: its files stand as they are."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            # Told once every thread of it has come to a stop.
            os.waitid(os.P_PID, self.pid, os.WSTOPPED)
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)
