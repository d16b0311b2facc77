"""``X-Hub-Signature-256``: HMAC-SHA256 of the raw body under the app secret, in lower-case hex."""

from __future__ import annotations

import hmac
from typing import Final

from qsops.signing import hmac_sha256

__all__ = ["SIGNATURE_HEADER", "sign", "signature_holds"]

SIGNATURE_HEADER: Final = "X-Hub-Signature-256"
_PREFIX: Final = "sha256="


def sign(secret: str, body: bytes) -> str:
    """The value of the header for ``body``, byte for byte as it goes over the wire."""
    return _PREFIX + hmac_sha256(secret, body).hex()


def signature_holds(secret: str, body: bytes, given: str | None) -> bool:
    """Whether ``given`` is the signature of ``body``, in constant time; upper-case hex is not what Meta sends."""
    if given is None:
        return False
    return hmac.compare_digest(sign(secret, body).encode(), given.encode("utf-8", "surrogateescape"))
