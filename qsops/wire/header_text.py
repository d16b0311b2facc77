"""Header values and paths between bytes and text."""

from __future__ import annotations

from collections.abc import Iterable

from qsops.models import Headers

__all__ = ["from_wire", "headers_from_wire", "to_wire"]


def from_wire(raw: bytes) -> str:
    """UTF-8, which is what clients send when they send more than ASCII; what is none is Latin-1, and never an error."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def headers_from_wire(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """All headers of a request or an answer, in their order."""
    return tuple([(from_wire(name), from_wire(value)) for name, value in raw])


def to_wire(text: str) -> bytes:
    """As UTF-8, so that what came in as UTF-8 leaves byte for byte the same."""
    return text.encode("utf-8", "surrogatepass")
