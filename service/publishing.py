"""Messages to QStash: how an event is published, and what it means when QStash does not take it.

- Away, slow, at its limits, or refusing our token: the message waits in the outbox, counted under the failure's name.
- Refused for what it is (400, too large): no repeat mends it; it is parked, with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from qsops.client import Client
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
from qsops.models import Callback, ItemError, Publish, Receipt
from qsops.wire.publishing import fits_batch
from service.envelope import EVENT_ID_HEADER, Event, encode
from service.processing import deduplication_id
from service.settings import Settings
from service.tally import Tally

__all__ = [
    "CONSUMER_PATH",
    "FAILURE_PATH",
    "NO_ENDPOINTS",
    "PUBLISH_FAILED",
    "Failure",
    "Publisher",
    "Result",
    "failure_of",
    "message_of",
]

CONSUMER_PATH: Final = "/api/qstash/instagram-ingestion"
FAILURE_PATH: Final = "/api/qstash/failure"
#: What publish failures are counted under.
PUBLISH_FAILED: Final = "publish_failed"
NO_ENDPOINTS: Final = "QStash answered without a receipt, as it does for a URL group that has no endpoints yet"
_REASON_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message was not taken: ``parked`` for what it is; ``whole`` if the request failed, not it alone."""

    name: str
    detail: str
    parked: bool = False
    whole: bool = True

    @property
    def reason(self) -> str:
        return f"{self.name}: {self.detail}"[:_REASON_CHARS]


Result = Receipt | Failure


class Publisher:
    """Publishes batches, each within ``patience_s``, and counts what fails."""

    def __init__(self, client: Client, tally: Tally, patience_s: float) -> None:
        self._client = client
        self._tally = tally
        self._patience_s = patience_s

    async def send(self, messages: Sequence[Publish]) -> list[Result]:
        """What became of each message, in order; nothing is raised for what QStash or the network did."""
        results: dict[int, Result] = {}
        for group in _groups(messages):
            answers = await self._send([messages[number] for number in group])
            results.update(zip(group, answers, strict=True))
        for result in results.values():
            if isinstance(result, Failure):
                self._tally.count(PUBLISH_FAILED, result.name)
        return [results[number] for number in range(len(messages))]

    async def _send(self, messages: Sequence[Publish]) -> list[Result]:
        try:
            async with asyncio.timeout(self._patience_s):
                if len(messages) == 1:
                    # By itself a message is refused by itself.
                    return [_of_item(await self._client.publish(messages[0]))]
                return [_of_item(answer) for answer in await self._client.batch(messages)]
        except TimeoutError:
            return [Failure("timeout", f"no answer within {self._patience_s:g} s")] * len(messages)
        except QsopsError as error:
            return [_in_batch(failure_of(error), len(messages))] * len(messages)


def _groups(messages: Sequence[Publish]) -> list[list[int]]:
    """The numbers of the messages that go in one request each: what no batch can hold goes by itself."""
    together = [number for number, message in enumerate(messages) if fits_batch(message)]
    alone = [[number] for number, message in enumerate(messages) if not fits_batch(message)]
    return [together, *alone] if together else alone


def message_of(event: Event, settings: Settings) -> Publish:
    """How ``event`` travels: to our consumer, under its own identity, with a retry policy that no plan decides."""
    return Publish(
        settings.public_base_url + CONSUMER_PATH,
        encode(event),
        headers=(("Content-Type", "application/json"), (EVENT_ID_HEADER, event.id)),
        timeout_s=settings.delivery_timeout_s,
        retries=settings.qsops_retries,
        retry_delay=settings.qsops_retry_delay,
        failure_callback=Callback(settings.public_base_url + FAILURE_PATH),
        deduplication_id=deduplication_id(event.id),
        labels=(event.kind,),
    )


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


def _of_item(answer: list[Receipt] | ItemError) -> Result:
    """One item's answer; an error of an item has a text, and no status."""
    if not isinstance(answer, ItemError):
        return answer[0] if answer else Failure("nobody", NO_ENDPOINTS, whole=False)
    if _is_size(answer.error):
        return Failure("too_large", answer.error, parked=True, whole=False)
    if answer.error.startswith("quota "):
        return Failure("quota", answer.error, whole=False)
    return Failure("rejected", answer.error, parked=True, whole=False)


def _in_batch(failure: Failure, count: int) -> Failure:
    """A refusal of a whole batch does not say which of its messages is at fault: none is parked for it."""
    return Failure(failure.name, failure.detail) if failure.parked and count > 1 else failure


def _is_size(text: str) -> bool:
    return "maxMessageSize" in text or "too large" in text
