"""A throwaway PostgreSQL cluster with its own defaults, which are durable, from what is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.engine.process import LOOPBACK, ProcessFailed, free_port, running

__all__ = ["postgres"]

#: Where Debian keeps what is not on the PATH, a folder a version.
_DEBIAN = Path("/usr/lib/postgresql")
#: PostgreSQL refuses to run as root; the first of these that exists runs it then.
_USERS = ("postgres", "nobody")
_INIT_LIMIT_S = 60


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server on a new cluster under ``folder``; how to connect to it, as libpq reads it.

    :raises ProcessFailed: when no PostgreSQL is installed, or it does not start.
    """
    user, data, port = _unprivileged_user(), folder / "data", free_port()
    if user is not None:
        # The folder of a temporary file is its owner's alone.
        shutil.chown(folder, user)
    init = [_program("initdb"), "-D", data, "-A", "trust", "-U", "bench", "--no-locale", "-E", "UTF8"]
    done = subprocess.run(
        init, user=user, cwd=folder, capture_output=True, text=True, timeout=_INIT_LIMIT_S, check=False
    )
    if done.returncode != 0:
        raise ProcessFailed(f"initdb failed: {(done.stderr.strip() or 'no output').splitlines()[-1]}")
    argv = [_program("postgres"), "-D", data, "-h", LOOPBACK, "-p", str(port), "-k", folder]
    with running("postgres", argv, folder, cwd=folder, user=user) as process:
        process.wait_for_port(port)
        yield f"host={LOOPBACK} port={port} user=bench dbname=postgres"


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    for version in sorted(_DEBIAN.glob("*/bin"), key=_version, reverse=True):
        if (version / name).exists():
            return str(version / name)
    raise ProcessFailed(f"no {name} on the PATH; install PostgreSQL (Debian, Ubuntu: apt-get install postgresql)")


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
    raise ProcessFailed(f"PostgreSQL refuses to run as root, and there is none of the users {', '.join(_USERS)}")
