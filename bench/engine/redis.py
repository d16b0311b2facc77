"""A throwaway Redis with an append-only file, from what is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.engine.process import LOOPBACK, ProcessFailed, free_port, running

__all__ = ["redis"]


@contextmanager
def redis(folder: Path, appendfsync: str) -> Iterator[int]:
    """A server whose file is synced as ``appendfsync`` says (everysec, always); its port.

    :raises ProcessFailed: when no Redis is installed.
    """
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise ProcessFailed("no redis-server on the PATH; install it (Debian, Ubuntu: apt-get install redis-server)")
    port = free_port()
    argv = [program, "--bind", LOOPBACK, "--port", str(port), "--dir", str(folder), "--save", ""]
    argv += ["--appendonly", "yes", "--appendfsync", appendfsync]
    with running("redis", argv, folder) as process:
        process.wait_for_port(port)
        yield port
