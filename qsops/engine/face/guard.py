"""Who may speak to a server: no page of another site, by whatever name it reaches this machine.

A browser on this machine can be made to send requests to loopback, either plainly (then ``Origin`` tells) or under a
name of the attacker's that resolves to 127.0.0.1 (then ``Host`` tells). The same holds for an address in an office.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from qsops.config.addresses import is_loopback
from qsops.engine.texts import FOREIGN_HOST, FOREIGN_ORIGIN
from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire.http import header

__all__ = ["LOOPBACK", "Names", "check"]


@dataclass(frozen=True, slots=True)
class Names:
    """What a server is called: ``allowed`` in lower case and, when it is on ``loopback``, any name of this machine."""

    allowed: frozenset[str] = frozenset()
    loopback: bool = True


LOOPBACK: Final = Names()


def check(headers: Headers, names: Names = LOOPBACK, address: str = "") -> None:
    """Let pass what came under an own name and from no other site; ``address`` is where it came in.

    :raises Rejected: 403.
    """
    host = header(headers, "Host")
    if host is None or not _is_allowed(f"//{host}", names, address):
        raise Rejected(403, FOREIGN_HOST)
    origin = header(headers, "Origin")
    if origin is not None and not _is_allowed(origin, names, address):
        raise Rejected(403, FOREIGN_ORIGIN)


def _is_allowed(url: str, names: Names, address: str) -> bool:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return False
    if name is None:
        return False
    # Whoever writes the address itself was not led here by a name of somebody else's.
    return name in names.allowed or name == address or (names.loopback and is_loopback(name))
