"""Start a program of ours as a child process, hear from it when it is ready, and end it by its own handle."""

from __future__ import annotations

import base64
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

__all__ = ["Arrival", "ChildProcess", "ReceiverProcess"]

BOUND_S: Final = 60.0
# A child gets these from us and nothing else: a token that happens to be set reaches nobody.
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")


class ChildProcess:
    """A child whose output is read line by line; left, it is terminated, and killed if that takes too long."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        listens: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> None:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env={**inherited, **(environment or {})},
            stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            pass_fds=tuple(pass_fds),
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._heard: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, line: str) -> None:
        """Write a line to the standard input of a child that listens."""
        assert self._process.stdin is not None, "this child was started without listens=True"
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait_for_line(self, pattern: str, bound_s: float = BOUND_S) -> re.Match[str]:
        """The first line of output, from here on, that holds ``pattern``.

        :raises AssertionError: with what was heard, if the child ends first or stays silent for ``bound_s``; it is
            terminated then.
        """
        while True:
            try:
                line = self._lines.get(timeout=bound_s)
            except queue.Empty:
                line = None
            if line is None:
                self.terminate()
                raise AssertionError(f"waited for {pattern!r}; heard:\n" + "".join(self._heard))
            self._heard.append(line)
            match = re.search(pattern, line)
            if match:
                return match

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self._process.send_signal(signal.SIGKILL)
        self._ended()

    def terminate(self) -> None:
        """SIGTERM, then SIGKILL after BOUND_S; harmless once the child has ended."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(BOUND_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._ended()

    def _ended(self) -> None:
        self._process.wait(BOUND_S)
        self._reader.join(BOUND_S)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as the receiver wrote it down; header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ReceiverProcess(ChildProcess):
    """``receiver.py`` running; it can be killed and started again over the same file and port."""

    def __init__(self, arrivals: Path, answers: str = "200", port: int = 0) -> None:
        program = Path(__file__).with_name("receiver.py")
        command = [sys.executable, str(program), str(arrivals), "--answers", answers, "--port", str(port)]
        super().__init__(command, cwd=arrivals.parent)
        self._arrivals = arrivals
        self.port = int(self.wait_for_line(r"listening on (\d+)")[1])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def arrivals(self) -> list[Arrival]:
        """All arrivals so far, those before a restart included; a line that is being written is not one yet."""
        whole = self._arrivals.read_text(encoding="utf-8").rpartition("\n")[0]
        return [_arrival(json.loads(line)) for line in whole.splitlines()]


def _arrival(fields: dict[str, object]) -> Arrival:
    headers = fields["headers"]
    assert isinstance(headers, dict)
    return Arrival(
        str(fields["method"]),
        str(fields["path"]),
        {str(name).lower(): str(value) for name, value in headers.items()},
        base64.b64decode(str(fields["body"])),
    )
