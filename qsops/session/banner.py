"""How a session shows itself: target, region, whether it may write, health. Never an address or a secret."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

__all__ = ["Banner", "Health"]


@dataclass(frozen=True, slots=True)
class Health:
    """What the latest question to the service showed; ``unknown`` before the first."""

    status: Literal["healthy", "unknown", "refused", "unreachable", "closed"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {self.detail}" if self.detail else self.status


@dataclass(frozen=True, slots=True)
class Banner:
    """The four things to know before a cell is run."""

    target: str
    region: str
    access: Literal["read and write", "read only"]
    health: Health

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """Caption and value, in the order in which they are shown."""
        return (("target", self.target), ("region", self.region), ("access", self.access), ("health", str(self.health)))

    def text(self) -> str:
        """As lines of text."""
        return "\n".join(("qsops session", *(f"  {name:<7} {value}" for name, value in self.rows)))

    def html(self) -> str:
        """As a small table."""
        lines = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in self.rows
        )
        return f'<table class="qsops-session"><caption>qsops session</caption>{lines}</table>'
