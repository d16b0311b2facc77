"""Who may speak to a server on loopback: no page of another site, by whatever name it reaches this machine.

A browser on this machine can be made to send requests to loopback, either plainly (then ``Origin`` tells) or under a
name of the attacker's that resolves to 127.0.0.1 (then ``Host`` tells).
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from qsops.config.addresses import is_loopback
from qsops.engine.texts import FOREIGN_HOST, FOREIGN_ORIGIN
from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire.http import header

__all__ = ["check"]


def check(headers: Headers, allowed_hosts: Collection[str] = ()) -> None:
    """Let pass what came under an own name and from no other site; ``allowed_hosts`` are names beside loopback's.

    :raises Rejected: 403.
    """
    host = header(headers, "Host")
    if host is None or not _is_allowed(f"//{host}", allowed_hosts):
        raise Rejected(403, FOREIGN_HOST)
    origin = header(headers, "Origin")
    if origin is not None and not _is_allowed(origin, allowed_hosts):
        raise Rejected(403, FOREIGN_ORIGIN)


def _is_allowed(url: str, allowed_hosts: Collection[str]) -> bool:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return False
    return name is not None and (name in allowed_hosts or is_loopback(name))
