"""Taking a port and a database file for one's own."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

from qsops.errors import SettingsError

__all__ = ["is_on_loopback", "listen", "sole_owner", "write_whole"]


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to ``port`` at ``host``; port 0 takes a free one. Nobody is let in before it is served.

    :raises SettingsError: when the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise SettingsError(f"port: {port} on {host} {reason}; name another one, or 0 for any that is free") from error
    return listener


@contextmanager
def sole_owner(db: str | Path) -> Iterator[None]:
    """Keep a second engine off the file ``db``: two would deliver everything twice. The lock dies with its process.

    :raises SettingsError: when another engine runs on it.
    """
    if str(db) == ":memory:":
        yield
        return
    path = Path(db)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{path}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(f"db: another engine runs on {path}; stop it, or name another file") from error
        yield


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` so that a reader finds all of it, or no file."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text)
    os.replace(draft, path)


def is_on_loopback(listener: socket.socket) -> bool:
    """Whether only this machine reaches ``listener``, by the address that it was bound to, however that was spelled."""
    return ip_address(listener.getsockname()[0]).is_loopback
