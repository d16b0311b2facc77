"""The processes a benchmark starts: awaited within bounds, and ended with whatever they started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOOPBACK", "Process", "ProcessFailed", "cpu_s", "family", "free_port", "memory_mb", "running", "spending"]

LOOPBACK = "127.0.0.1"
_GRACE_S = 10.0
_LOOK_AGAIN_S = 0.002


class ProcessFailed(SystemExit):
    """A process did not come up, or ended early. Its text becomes the contender's last line, so it is one line."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running process of ours; what it prints lies in ``log``."""

    name: str
    popen: subprocess.Popen[str]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def wait_for_port(self, port: int, limit_s: float = 30.0) -> None:
        """Wait until ``port`` takes connections. :raises ProcessFailed: after ``limit_s``, or at the process's end."""
        end = time.monotonic() + limit_s
        while not _listens(port):
            self.check()
            if time.monotonic() > end:
                raise ProcessFailed(f"{self.name} does not listen after {limit_s:g} s: {self.last_line()}")
            time.sleep(_LOOK_AGAIN_S)

    def check(self) -> None:
        """:raises ProcessFailed: when it has ended."""
        if self.popen.poll() is not None:
            raise ProcessFailed(f"{self.name} ended with status {self.popen.returncode}: {self.last_line()}")

    def last_line(self) -> str:
        """The last thing it printed, except through a pipe."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it printed nothing"


@contextmanager
def running(
    name: str,
    argv: Sequence[str | Path],
    folder: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    pipes: bool = False,
) -> Iterator[Process]:
    """``argv`` as a process that ends with the context; its output goes to ``NAME.log`` in ``folder``.

    ``pipes``: standard input and output are pipes of the caller's instead. ``user``: for programs that refuse to run
    as root.
    """
    # Told to end, we end what was started on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    log = folder / f"{name}.log"
    with log.open("w") as printed:
        popen = subprocess.Popen(
            [str(part) for part in argv],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else printed,
            stderr=printed,
            text=True,
            user=user,
            # A group of its own, so that workers which it forks can be ended with it.
            start_new_session=True,
        )
    try:
        yield Process(name, popen, log)
    finally:
        _end(popen)


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def memory_mb(pid: int) -> tuple[float, float]:
    """What process ``pid`` and its children hold in memory now and held at their peaks, in MB of 10⁶ bytes (Linux)."""
    told = [_status(one) for one in family(pid)]
    now, peak = (sum(int(one[name].split()[0]) for one in told) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, peak


def family(pid: int) -> list[int]:
    """``pid`` and the processes that it has started (Linux)."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *map(int, children.read_text().split())]


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def cpu_s(pid: int) -> float:
    """Processor time that process ``pid`` and its children have used, in seconds (Linux)."""
    ticks = sum(_cpu_ticks(Path(f"/proc/{one}/stat").read_text()) for one in family(pid))
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Spent:
    """Processor time that a process used for ``count`` messages; None where that cannot be told."""

    count: int
    seconds: float | None = None

    def note(self) -> str:
        """In microseconds a message: unlike a rate, it does not depend on what else the machine does."""
        return "" if self.seconds is None else f"{self.seconds / self.count * 1e6:.0f} µs of processor a message"


@contextmanager
def spending(pid: int, count: int) -> Iterator[Spent]:
    """What process ``pid`` uses within the context."""
    spent = Spent(count)
    if not Path(f"/proc/{pid}/stat").exists():
        yield spent
        return
    before_s = cpu_s(pid)
    yield spent
    spent.seconds = cpu_s(pid) - before_s


def _cpu_ticks(stat: str) -> int:
    """User and system time; the name before them stands in brackets, and may hold any character."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _end(popen: subprocess.Popen[str]) -> None:
    if popen.poll() is None:
        popen.terminate()
        try:
            popen.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            pass  # what follows does not ask
    try:
        os.killpg(popen.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # the usual case: it and all it started are gone
    popen.wait()
    for pipe in (popen.stdin, popen.stdout):
        if pipe is not None:
            pipe.close()
