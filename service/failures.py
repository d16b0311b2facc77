"""What it means when QStash does not take a message.

- Away, slow, at its limits, or refusing our token: the message waits in the outbox, counted under the failure's name.
- Refused for what it is (400, too large): no repeat mends it; it is parked, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from qsops.errors import (
    AuthError,
    OutcomeUnknown,
    QsopsError,
    QuotaExceeded,
    RateLimited,
    Rejected,
    ServerFault,
    Unreachable,
)
from qsops.models import ItemError, Receipt

__all__ = [
    "AWAY",
    "HELD_BACK",
    "NO_ENDPOINTS",
    "Failure",
    "Result",
    "failure_of",
    "in_batch",
    "is_outage",
    "is_refused",
    "of_item",
]

NO_ENDPOINTS: Final = "QStash answered without a receipt, as it does for a URL group that has no endpoints yet"
_REASON_CHARS: Final = 300
_REFUSALS: Final = frozenset({"rejected", "too_large"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message was not taken: ``parked`` for what it is; ``whole`` if the request failed, not it alone.

    What was not even ``tried`` was held back: for the time, for QStash, or for an earlier one of its conversation.
    """

    name: str
    detail: str
    parked: bool = False
    whole: bool = True
    tried: bool = True

    @property
    def reason(self) -> str:
        return f"{self.name}: {self.detail}"[:_REASON_CHARS]

    @property
    def is_outage(self) -> bool:
        """The request failed for when it came, and not for what it holds."""
        return self.whole and not self.parked and self.name not in _REFUSALS


Result = Receipt | Failure

#: Of a message that was not sent because something before it was not taken.
HELD_BACK: Final = Failure("held_back", "an earlier one was not taken, or no time was left", whole=False, tried=False)
#: Of a message that nobody tried to send, since QStash has not answered lately.
AWAY: Final = Failure("away", "QStash did not answer lately; the relay sends it", tried=False)


def failure_of(error: QsopsError) -> Failure:
    """What an error of the client means for the message."""
    text = str(error)
    match error:
        case Unreachable():
            return Failure("network", text)
        case OutcomeUnknown():
            # The client keeps the transport's own error as the cause; its name says which it was.
            return Failure("timeout" if "Timeout" in type(error.__cause__).__name__ else "network", text)
        case RateLimited():
            return Failure(f"rate_limited_{error.kind}", text)
        case AuthError():
            return Failure("unauthorized", text)
        case Rejected() if error.status == 413 or _is_size(error.text):
            return Failure("too_large", text, parked=True)
        case QuotaExceeded():
            return Failure("quota", text)
        case ServerFault():
            return Failure("server_fault", text)
        case Rejected() if error.status == 400:
            return Failure("rejected", text, parked=True)
        case _:
            return Failure("unexpected", text)


def of_item(answer: list[Receipt] | ItemError) -> Result:
    """One item's answer; an error of an item has a text, and no status."""
    if not isinstance(answer, ItemError):
        return answer[0] if answer else Failure("nobody", NO_ENDPOINTS, whole=False)
    if _is_size(answer.error):
        return Failure("too_large", answer.error, parked=True, whole=False)
    if answer.error.startswith("quota "):
        return Failure("quota", answer.error, whole=False)
    return Failure("rejected", answer.error, parked=True, whole=False)


def in_batch(failure: Failure, count: int) -> Failure:
    """A refusal of a whole batch does not say which of its messages is at fault: none is parked for it."""
    return Failure(failure.name, failure.detail) if failure.parked and count > 1 else failure


def is_outage(results: Sequence[Result]) -> bool:
    """A request among them failed for when it came."""
    return any(isinstance(result, Failure) and result.is_outage for result in results)


def is_refused(results: Sequence[Result]) -> bool:
    """The batch as a whole was refused for what it holds, not for when it came."""
    return all(isinstance(result, Failure) and result.whole and result.name in _REFUSALS for result in results)


def _is_size(text: str) -> bool:
    return "maxMessageSize" in text or "too large" in text
