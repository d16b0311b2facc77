"""How the error of an HTTP library is named in ours."""

from __future__ import annotations

__all__ = ["cause_of"]


def cause_of(error: Exception) -> str:
    """Its class, and what it says if it says anything."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
