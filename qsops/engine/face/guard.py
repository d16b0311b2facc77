"""Who may speak to a server: no page of another site, by whatever name it reaches this machine.

A browser on this machine can be made to send requests to loopback, either plainly (then ``Origin`` tells) or under a
name of the attacker's that resolves to 127.0.0.1 (then ``Host`` tells). The same holds for an address in an office.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from qsops.config.addresses import is_loopback
from qsops.engine.texts import FOREIGN_HOST, FOREIGN_ORIGIN, head_too_large, target_too_long, too_many_headers
from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire.http import Request, header

__all__ = ["HEADERS_LIMIT", "HEAD_LIMIT", "LOOPBACK", "TARGET_LIMIT", "Names", "check", "check_size"]

#: How long path and query may be, and they with all headers, in bytes: the ids of a bulk call may stand in the query.
TARGET_LIMIT: Final = 64 * 1024
HEAD_LIMIT: Final = 128 * 1024
#: How many headers a request may have: options, forwarded ones, and those of the client.
HEADERS_LIMIT: Final = 256


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


def check_size(head: Request) -> None:
    """Refuse a head that no client of QStash has a use for.

    :raises Rejected: 414, 431.
    """
    target = len(head.path) + len(head.query)
    if target > TARGET_LIMIT:
        raise Rejected(414, target_too_long(TARGET_LIMIT))
    if len(head.headers) > HEADERS_LIMIT:
        raise Rejected(431, too_many_headers(len(head.headers), HEADERS_LIMIT))
    if target + sum(len(name) + len(value) for name, value in head.headers) > HEAD_LIMIT:
        raise Rejected(431, head_too_large(HEAD_LIMIT))


def _is_allowed(url: str, names: Names, address: str) -> bool:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return False
    if name is None:
        return False
    # Whoever writes the address itself was not led here by a name of somebody else's.
    return name in names.allowed or name == address or (names.loopback and is_loopback(name))
