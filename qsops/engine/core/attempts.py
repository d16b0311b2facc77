"""One try to deliver a message, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from qsops.models import Headers, Message

__all__ = ["Attempt", "Outcome"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The try number ``retried + 1`` of ``message``; ``seq`` and ``account`` say where it is kept.

    ``key`` signs it. ``canceled``: its publisher took it back, so it is not sent, only closed.
    """

    seq: int
    account: int
    message: Message
    retried: int
    key: str = field(repr=False)
    canceled: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the destination answered. ``status`` 0: nothing, and ``error`` says why."""

    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    error: str | None = None

    @property
    def delivered(self) -> bool:
        """Any 2xx is a success; a redirect is none (reference, section 4)."""
        return 200 <= self.status < 300
