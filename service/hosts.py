"""Which names we answer to: a request for any other host is not ours, whoever sent it here."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from starlette.types import Scope

from qsops.config import is_loopback

__all__ = ["NO_HOST", "PROBED", "UNKNOWN_HOST", "Hosts"]

NO_HOST: Final = "a request has one Host header"
UNKNOWN_HOST: Final = "this host is not served here (ALLOWED_HOSTS)"
#: Probes and scrapers call by address, and nothing that these answer depends on the name.
PROBED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
ANY: Final = "*"
_REMEMBERED: Final = 64


class Hosts:
    """Hosts by their names without a port; ``*.example.com`` is each name below, ``*`` anything.

    ``loopback`` adds what this machine calls itself: 127.0.0.0/8, ``[::1]`` and localhost.
    """

    def __init__(self, names: Iterable[str], *, loopback: bool = False) -> None:
        self._names = frozenset(_name(name.lower()) for name in names)
        self._loopback = loopback
        self._below = tuple(name.removeprefix(ANY) for name in self._names if name.startswith("*."))
        self._serves = lru_cache(_REMEMBERED)(self._find)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and error for a request that is not for us; None where it is."""
        given = [value for name, value in scope["headers"] if name == b"host"]
        if len(given) == 1 and self._serves(given[0]):
            return None
        if scope["path"] in PROBED:
            return None
        return (421, UNKNOWN_HOST) if len(given) == 1 else (400, NO_HOST)

    def _find(self, raw: bytes) -> bool:
        name = _name(raw.decode("latin-1").lower())
        if ANY in self._names or name in self._names or name.endswith(self._below):
            return True
        return self._loopback and is_loopback(name)


def _name(host: str) -> str:
    """Without the port, and without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
