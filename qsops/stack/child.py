"""One child process: its log, its pid file, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from qsops.errors import SettingsError
from qsops.stack.environment import child_environment
from qsops.stack.programs import Program

__all__ = ["Child"]

_TAIL_LINES = 3
_TAIL_BYTES = 4_096


class Child:
    """A running ``program``; what it prints goes to ``NAME.log`` in ``folder``, its pid to ``NAME.pid``.

    It leads a process group of its own, so that a Ctrl-C in the terminal reaches us alone, and we stop it in order.
    """

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.log = folder / f"{program.name}.log"
        self.pid_file = folder / f"{program.name}.pid"
        # The last run's log would be taken for this one's.
        self.log.write_bytes(b"")
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            try:
                process = subprocess.Popen(
                    self.program.argv,
                    cwd=self.program.cwd,
                    env=child_environment(os.environ, self.program.settings),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise SettingsError(f"{self.program.name}: cannot start {self.program.argv[0]}: {error}") from error
        self.pid_file.write_text(f"{process.pid}\n", encoding="ascii")
        return process

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative is the number of the signal that ended it."""
        return self._process.poll()

    @property
    def was_killed(self) -> bool:
        """Whether someone else ended it, rather than its own fault."""
        status = self.exit_status
        return status is not None and -status in (signal.SIGKILL, signal.SIGTERM)

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end, but no longer than ``seconds``; whether it has ended."""
        try:
            self._process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def restart(self) -> None:
        """Start it again, as it was started: same port, same files."""
        self.kill()
        self._process = self._spawn()

    def terminate(self) -> None:
        """Ask it to end."""
        if self.exit_status is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it and what it started, and forget its pid."""
        if self.exit_status is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # It ended by itself between the look and the kill.
            self._process.wait()
        self.pid_file.unlink(missing_ok=True)

    def epitaph(self) -> str:
        """How it ended, the tail of its log, and where the rest of that lies; one line."""
        status = self.exit_status
        how = "still runs" if status is None else f"ended with status {status}"
        if status is not None and status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        said = " | ".join(self._tail())
        return f"{self.name} {how}: {said or 'it printed nothing'} (log: {self.log})"

    def _tail(self) -> list[str]:
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return [line.strip() for line in lines if line.strip()][-_TAIL_LINES:]
