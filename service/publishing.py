"""Messages to QStash: how an event is published, and how many are sent at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import inf
from typing import Final

import msgspec

from qsops.client import Client
from qsops.errors import OutcomeUnknown, QsopsError, Unreachable
from qsops.models import Callback, Headers, ItemError, Publish, Receipt
from service.breaker import Breaker
from service.envelope import EVENT_ID_HEADER, Event, encode
from service.failures import HELD_BACK, Failure, Result, failure_of, in_batch, is_outage, is_refused, of_item
from service.lanes import Lane, lanes
from service.processing import deduplication_id
from service.settings import Settings
from service.tally import Tally

__all__ = [
    "BYPASS_HEADER",
    "CALLBACK_PATH",
    "CONSUMER_PATH",
    "FAILURE_PATH",
    "PUBLISH_FAILED",
    "Messages",
    "Publisher",
    "follow_up",
]

#: What Vercel asks of whoever calls a protected preview.
BYPASS_HEADER: Final = "x-vercel-protection-bypass"
CONSUMER_PATH: Final = "/api/qstash/instagram-ingestion"
CALLBACK_PATH: Final = "/api/qstash/callback"
FAILURE_PATH: Final = "/api/qstash/failure"
#: What publish failures are counted under.
PUBLISH_FAILED: Final = "publish_failed"


class Publisher:
    """Publishes in lanes, each request within ``patience_s``, and counts what fails.

    A request that is refused for what it holds is halved until the culprit is found, if it ``finds_culprits``.
    """

    def __init__(
        self, client: Client, tally: Tally, breaker: Breaker, patience_s: float, *, finds_culprits: bool = False
    ) -> None:
        self._client = client
        self._tally = tally
        self._breaker = breaker
        self._patience_s = patience_s
        self._finds_culprits = finds_culprits

    def may_wait(self) -> bool:
        """Whether it makes sense to wait for QStash now; see :class:`~service.breaker.Breaker`."""
        return self._breaker.allows()

    async def send(
        self, messages: Sequence[Publish], conversations: Sequence[str | None] | None = None, within_s: float = inf
    ) -> list[Result]:
        """What became of each message, in order; nothing is raised for what QStash or the network did.

        All of it takes at most ``within_s``; what has found no time by then was not tried.
        """
        if conversations is None:
            conversations = [None] * len(messages)
        until_s = asyncio.get_running_loop().time() + within_s
        results: list[Result] = [HELD_BACK] * len(messages)
        parted = lanes(messages, conversations)
        await asyncio.gather(*(self._lane(lane, messages, conversations, results, until_s) for lane in parted))
        for result in results:
            if isinstance(result, Failure) and result.tried:
                self._tally.count(PUBLISH_FAILED, result.name)
        return results

    async def _lane(
        self,
        lane: Lane,
        messages: Sequence[Publish],
        conversations: Sequence[str | None],
        results: list[Result],
        until_s: float,
    ) -> None:
        """Send the requests of a lane, until QStash does not answer one; a conversation waits for its first failure."""
        held: set[str | None] = set()
        for request in lane.requests:
            going = [number for number in request if conversations[number] not in held]
            answers = await self._request([messages[number] for number in going], until_s)
            for number, answer in zip(going, answers, strict=True):
                results[number] = answer
                if isinstance(answer, Failure) and not answer.parked and conversations[number] is not None:
                    held.add(conversations[number])
            if is_outage(answers):
                return

    async def _request(self, messages: Sequence[Publish], until_s: float) -> list[Result]:
        results = await self._send(messages, until_s) if messages else []
        if len(messages) < 2 or not self._finds_culprits or not is_refused(results):
            return results
        # One of them spoils the batch: halves find it, and only it is parked.
        middle = len(messages) // 2
        first = await self._request(messages[:middle], until_s)
        if is_outage(first):
            return [*first, *[HELD_BACK] * (len(messages) - middle)]
        return [*first, *await self._request(messages[middle:], until_s)]

    async def _send(self, messages: Sequence[Publish], until_s: float) -> list[Result]:
        wait_s = min(self._patience_s, until_s - asyncio.get_running_loop().time())
        if wait_s <= 0:
            return [HELD_BACK] * len(messages)
        try:
            async with asyncio.timeout(wait_s):
                answers = await self._ask(messages)
        except TimeoutError:
            self._breaker.unanswered()
            return [Failure("timeout", f"no answer within {wait_s:g} s")] * len(messages)
        except (Unreachable, OutcomeUnknown) as error:
            self._breaker.unanswered()
            return [failure_of(error)] * len(messages)
        except QsopsError as error:
            self._breaker.answered()
            return [in_batch(failure_of(error), len(messages))] * len(messages)
        self._breaker.answered()
        return [of_item(answer) for answer in answers]

    async def _ask(self, messages: Sequence[Publish]) -> list[list[Receipt] | ItemError]:
        # By itself a message is refused by itself.
        return [await self._client.publish(messages[0])] if len(messages) == 1 else await self._client.batch(messages)


class Messages:
    """How events travel: to our consumer, with a retry policy that no plan decides; made once for all of them."""

    def __init__(self, settings: Settings) -> None:
        bypass = _bypass(settings)
        self._destination = settings.public_base_url + CONSUMER_PATH
        self._headers: Headers = (("Content-Type", "application/json"), *bypass)
        self._timeout_s = settings.delivery_timeout_s
        self._retries = settings.qsops_retries
        self._retry_delay = settings.qsops_retry_delay
        self._callback = _callback(settings, CALLBACK_PATH) if settings.qsops_delivery_callback else None
        self._failure_callback = _callback(settings, FAILURE_PATH)
        # The log of the account is read by more people than may open a preview.
        self._redact = tuple(f"header[{name}]" for name, _ in bypass)

    def of(self, event: Event, carried: Headers = ()) -> Publish:
        """``event`` under its own identity; ``carried`` are headers that go with it, those of a trace.

        :raises Corrupt: when it cannot be written as JSON.
        """
        return Publish(
            self._destination,
            encode(event),
            headers=(*self._headers, (EVENT_ID_HEADER, event.id), *carried),
            timeout_s=self._timeout_s,
            retries=self._retries,
            retry_delay=self._retry_delay,
            callback=self._callback,
            failure_callback=self._failure_callback,
            deduplication_id=deduplication_id(event.id),
            labels=(event.kind,),
            redact=self._redact,
        )


def follow_up(message: Publish, settings: Settings, carried: Headers = ()) -> Publish:
    """What a handler publishes, as it travels: in the same trace, and so that we hear when it has failed for good."""
    given = {name.lower() for name, _ in message.headers}
    return msgspec.structs.replace(
        message,
        headers=(*message.headers, *(one for one in carried if one[0] not in given)),
        callback=_callback(settings, CALLBACK_PATH) if settings.qsops_delivery_callback else None,
        failure_callback=_callback(settings, FAILURE_PATH),
    )


def _callback(settings: Settings, path: str) -> Callback:
    """Told as patiently as a message is: what it tells of is not told twice."""
    return Callback(
        settings.public_base_url + path,
        headers=_bypass(settings),
        retries=settings.qsops_retries,
        retry_delay=settings.qsops_retry_delay,
    )


def _bypass(settings: Settings) -> Headers:
    secret = settings.vercel_automation_bypass_secret
    return ((BYPASS_HEADER, secret.get_secret_value()),) if secret else ()
