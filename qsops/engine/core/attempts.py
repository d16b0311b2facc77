"""One try to deliver a message, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from qsops.models import Headers, Message

__all__ = ["Attempt", "Outcome", "ReportIds", "Settled"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The try number ``retried + 1`` of ``message``; ``seq``, ``account`` and ``trait`` say where it is kept.

    ``key`` signs it. ``canceled``: its publisher took it back, so it is not sent, only closed. ``gated``: it passed a
    queue or a flow-control key, which its end must be told.
    """

    seq: int
    account: int
    trait: int
    message: Message
    retried: int
    key: str = field(repr=False)
    canceled: bool = False
    gated: bool = False


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


@dataclass(frozen=True, slots=True)
class ReportIds:
    """The ids of the messages that an attempt may cause; made before the outcome is settled."""

    callback: str | None = None
    failure_callback: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """``attempt`` ended with ``outcome`` at ``at_ms``; ``report_ids`` are for the messages that this may cause."""

    attempt: Attempt
    outcome: Outcome
    at_ms: int
    report_ids: ReportIds
