"""The stack: children that are started together, awaited until ready, revived when killed, and stopped together."""

from __future__ import annotations

import atexit
import http.client
from pathlib import Path
from types import TracebackType

from qsops.clock import Clock, SystemClock
from qsops.errors import QsopsError
from qsops.stack.child import Child
from qsops.stack.ports import LOOPBACK
from qsops.stack.programs import Probe, Program
from qsops.stack.signals import uninterrupted

__all__ = ["Stack"]

_READY_WITHIN_S = 30.0
_PROBE_EVERY_S = 0.05
_PROBE_TIMEOUT_S = 2.0
_STOP_WITHIN_S = 6.0
# A child that is killed again and again is somebody's decision: at some point it is obeyed.
_REVIVALS = 5


class Stack:
    """The children of one run; a context manager that leaves none behind. Logs and pid files lie in ``folder``."""

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.children: dict[str, Child] = {}
        self._clock = clock or SystemClock()
        self._revivals = 0
        # A signal may strike between the end of a block and the first line of __exit__.
        atexit.register(self.stop)

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self, *programs: Program) -> None:
        """Start ``programs`` beside each other, and return when all of them answer.

        :raises QsopsError: when one of them ends, or does not answer within 30 s; its log is quoted.
        """
        for program in programs:
            with uninterrupted():
                self.children[program.name] = Child(program, self.folder)
        for program in programs:
            self._await_ready(self.children[program.name])

    def revive(self, *names: str) -> list[str]:
        """Start again those of ``names`` that someone killed; which they were.

        :raises QsopsError: when one ended by itself, or is killed for the sixth time.
        """
        killed = [self.children[name] for name in names if self.children[name].exit_status is not None]
        for child in killed:
            if not child.was_killed or self._revivals >= _REVIVALS:
                raise QsopsError(child.epitaph())
            self._restart(child)
        for child in killed:
            self._await_ready(child)
        return [child.name for child in killed]

    def forget(self, name: str) -> None:
        """Take a child that has done its work off the list; its log stays."""
        self.children.pop(name).kill()

    def wait_for_end(self, seconds: float) -> Child | None:
        """Wait up to ``seconds`` for a child to end; which one did."""
        deadline = self._clock.monotonic_s() + seconds
        while True:
            for child in self.children.values():
                if child.ended_within(_PROBE_EVERY_S):
                    return child
            if self._clock.monotonic_s() >= deadline:
                return None

    def stop(self) -> None:
        """End every child, the last one started first: asked, and after six seconds forced."""
        # A signal that comes now is heard when all have ended.
        with uninterrupted():
            children = list(reversed(self.children.values()))
            deadline = self._clock.monotonic_s() + _STOP_WITHIN_S
            for child in children:
                child.terminate()
            for child in children:
                child.ended_within(deadline - self._clock.monotonic_s())
                child.kill()
            self.children.clear()
            atexit.unregister(self.stop)

    def _restart(self, child: Child) -> None:
        self._revivals += 1
        with uninterrupted():
            child.restart()

    def _await_ready(self, child: Child) -> None:
        probe = child.program.probe
        deadline = self._clock.monotonic_s() + _READY_WITHIN_S
        while probe is not None and not _answers(probe):
            if child.ended_within(_PROBE_EVERY_S):
                if child.was_killed and self._revivals < _REVIVALS:
                    self._restart(child)
                    continue
                raise QsopsError(child.epitaph())
            if self._clock.monotonic_s() >= deadline:
                raise QsopsError(f"{probe.url} gave no answer within {_READY_WITHIN_S:g} s; {child.epitaph()}")


def _answers(probe: Probe) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, probe.port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", probe.path, headers=dict(probe.headers))
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
