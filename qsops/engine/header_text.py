"""Header values and paths between bytes and text."""

from __future__ import annotations

__all__ = ["from_wire", "to_wire"]


def from_wire(raw: bytes) -> str:
    """UTF-8, which is what clients send when they send more than ASCII; what is none is Latin-1, and never an error."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def to_wire(text: str) -> bytes:
    """As UTF-8, so that what came in as UTF-8 leaves byte for byte the same."""
    return text.encode("utf-8", "surrogatepass")
