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

__all__ = ["address_of", "is_loopback", "listen", "sole_owner", "write_whole"]


def address_of(host: str) -> str:
    """The address that ``host`` stands for on this machine, as numbers: what is bound is what was looked at.

    :raises SettingsError: when it stands for none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"host: {host!r} has no address; name one of this machine's, e.g. 127.0.0.1") from error
    # Clients write 127.0.0.1 where they mean localhost, so the older family goes first.
    return str(min(found, key=lambda info: info[0] != socket.AF_INET)[4][0])


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what is bound to ``address``."""
    return ip_address(address).is_loopback


def listen(address: str, port: int) -> socket.socket:
    """A socket bound to ``port`` at ``address``; port 0 takes a free one.

    :raises SettingsError: when the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise SettingsError(
            f"port: {port} on {address} {reason}; name another one, or 0 for any that is free"
        ) from error
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
