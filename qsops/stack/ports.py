"""Loopback ports: a free one, or a certain one that must not be taken."""

from __future__ import annotations

import errno
import socket

from qsops.errors import SettingsError

__all__ = ["LOOPBACK", "free_port", "require_free"]

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free(port: int, *, name: str, option: str, host: str = LOOPBACK) -> None:
    """See to it that ``name`` can listen on ``port``; 0 always can.

    :raises SettingsError: naming the port, and ``option`` as the way to choose another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: a connection of the last run that still lingers does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(_refusal(error, host, port, name, option)) from error


def _refusal(error: OSError, host: str, port: int, name: str, option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"{name}: port {port} on {host} is taken: stop what listens there (`lsof -i :{port}` names it), "
            f"or choose another with {option}"
        )
    return f"{name}: cannot listen on {host}:{port} ({error.strerror}): choose another address with {option} or --host"
