"""A throwaway PostgreSQL cluster with its own defaults, which are durable, from what is installed.

Benchmarks and tests share it. It needs no driver: databases are made by the program that comes with the server.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["Cluster", "PostgresMissing", "cluster"]

LOOPBACK: Final = "127.0.0.1"
OWNER: Final = "qsops"
#: Where Debian keeps what is not on the PATH, a folder a version.
_DEBIAN: Final = Path("/usr/lib/postgresql")
#: PostgreSQL refuses to run as root; the first of these that exists runs it then.
_USERS: Final = ("postgres", "nobody")
_PORTS: Final = (20_000, 12_000)
_LIMIT_S: Final = 60.0
_LOOK_AGAIN_S: Final = 0.01


class PostgresMissing(SystemExit):
    """There is no PostgreSQL here, or it does not start; one line says which."""


class Cluster:
    """A server on its own data under ``folder``, which can be stopped, killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._user = _unprivileged_user()
        self._server: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        #: What the server finds in its environment beside ours, from its next start on.
        self.environment: dict[str, str] = {}
        if self._user is not None:
            # The folder of a temporary file is its owner's alone.
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", OWNER, "--no-locale", "-E", "UTF8")

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._server is not None, "the cluster is not running"
        return self._server.pid

    def url(self, database: str = "postgres") -> str:
        """How to connect to ``database``."""
        return f"postgresql://{OWNER}@{LOOPBACK}:{self.port}/{database}"

    def create(self, database: str) -> str:
        """A new, empty database; how to connect to it."""
        self._run("createdb", "-h", LOOPBACK, "-p", self.port, "-U", OWNER, database)
        return self.url(database)

    def start(self) -> None:
        """Start the server, and wait until it takes connections.

        :raises PostgresMissing: when it does not start.
        """
        argv = [_program("postgres"), "-D", self._data, "-h", LOOPBACK, "-p", str(self.port), "-k", self._folder]
        with (self._folder / "server.log").open("ab") as log:
            env = {**os.environ, **self.environment}
            self._server = subprocess.Popen(argv, cwd=self._folder, user=self._user, env=env, stdout=log, stderr=log)
        end_s = time.monotonic() + _LIMIT_S
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > end_s:
                raise PostgresMissing(f"PostgreSQL does not start: {self._last_line()}")
            time.sleep(_LOOK_AGAIN_S)

    def stop(self) -> None:
        """Stop it as an operator does who does not wait for clients; harmless where it does not run."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._server = None

    def kill(self) -> None:
        """End it without a word to anybody, as a power cut would; it recovers at its next start."""
        server, self._server = self._server, None
        if server is None:
            return
        _send(server.pid, signal.SIGSTOP)  # else it makes another child while we look for them
        children = _children(server.pid)
        for pid in (*children, server.pid):
            _send(pid, signal.SIGKILL)
        server.wait()
        # As long as one of them is there the next server does not start.
        end_s = time.monotonic() + _LIMIT_S
        while any(_runs(pid) for pid in children) and time.monotonic() < end_s:
            time.sleep(_LOOK_AGAIN_S)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, self.port)) != 0:
                return False  # cheaper than to ask by the program
        asked = [_program("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        return subprocess.run(asked, check=False, timeout=_LIMIT_S).returncode == 0

    def _last_line(self) -> str:
        lines = (self._folder / "server.log").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it printed nothing")

    def _run(self, name: str, *arguments: object) -> None:
        argv = [_program(name), *(str(argument) for argument in arguments)]
        done = subprocess.run(
            argv, user=self._user, cwd=self._folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
        if done.returncode != 0:
            raise PostgresMissing(f"{name} failed: {(done.stderr.strip() or 'no output').splitlines()[-1]}")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running server, gone with the context.

    :raises PostgresMissing: when none is installed, or it does not start.
    """
    # Not under the caller's own temporary folder, which the server's user may not enter.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        made = Cluster(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.kill()  # a shutdown in order would first bring home what is thrown away


def _children(pid: int) -> list[int]:
    """The processes that ``pid`` has started; elsewhere than on Linux they end by themselves, a little later."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it ended by itself meanwhile


def _runs(pid: int) -> bool:
    """Whether it is there, and more than an entry that nobody has taken away (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def _program(name: str) -> str:
    for version in sorted(_DEBIAN.glob("*/bin"), key=_version, reverse=True):
        if (version / name).exists():
            return str(version / name)
    found = shutil.which(name)
    if found is None:
        raise PostgresMissing(f"no {name} here: install PostgreSQL (Debian, Ubuntu: apt-get install postgresql)")
    return found


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdecimal() else 0


def _unprivileged_user() -> str | None:
    """Whom to run it as; None where we are no root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in _USERS:
        if name in names:
            return name
    raise PostgresMissing(f"PostgreSQL refuses to run as root, and there is none of the users {', '.join(_USERS)}")


def _free_port() -> int:
    """One that nothing listens on, below those that outgoing connections are given: it is kept through a restart."""
    first, count = _PORTS
    for number in range(count):
        port = first + (os.getpid() + number) % count
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) != 0:
                return port
    raise PostgresMissing(f"no free port from {first} to {first + count - 1}")
