"""The async client: each verb is one request of the wire, asked again when that is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from qsops.client.core import DEFAULT_POLICY, Asking, RetryPolicy
from qsops.client.pace import Pace
from qsops.client.transport import Transport
from qsops.clock import Clock, Ids
from qsops.errors import ServiceError, SettingsError
from qsops.models import (
    CancelFilter,
    DeadLetter,
    DlqFilter,
    Headers,
    ItemError,
    KeyPair,
    LogEntry,
    LogFilter,
    Message,
    Page,
    Publish,
    Receipt,
)
from qsops.wire import dlq, keys, logs, messages, publishing
from qsops.wire.failures import BurstLimit, raise_for_status, ratelimit
from qsops.wire.http import Request, Response

__all__ = ["Client"]

Sleep = Callable[[float], Awaitable[object]]

_MADE_ID: Final = "qsops-"


class Client:
    """QStash behind ``transport``, as the account of ``token``.

    ``sleep`` takes seconds; ``ids`` makes deduplication ids and jitter. Every verb raises the tree under
    :class:`qsops.errors.ServiceError` once asking again is over or would not help.
    """

    def __init__(
        self,
        transport: Transport,
        token: str,
        *,
        clock: Clock,
        ids: Ids,
        sleep: Sleep = asyncio.sleep,
        policy: RetryPolicy = DEFAULT_POLICY,
    ) -> None:
        self._transport = transport
        self._authorization = ("Authorization", f"Bearer {token}")
        self._clock = clock
        self._ids = ids
        self._sleep = sleep
        self._policy = policy
        self._pace = Pace(clock, sleep)

    @property
    def burst_limit(self) -> BurstLimit | None:
        """The per-second limit as the latest answer advertised it."""
        return self._pace.limit

    async def publish(self, message: Publish) -> list[Receipt]:
        """Publish or enqueue one message: one receipt, or one for each endpoint of a URL group.

        A message without any deduplication gets an id of its own, so that a lost answer can be asked for again.
        """
        named = self._named(message)
        answer = await self.ask(publishing.publish_request(named), repeatable=True)
        return self._as_asked(message, publishing.parse_receipts(answer))

    async def batch(self, items: Sequence[Publish]) -> list[list[Receipt] | ItemError]:
        """Publish many in one request; the answers come in the order of ``items``, a refused one as ItemError."""
        if not items:
            return []
        named = [self._named(item) for item in items]
        answer = await self.ask(publishing.batch_request(named), repeatable=True)
        results = publishing.parse_batch_receipts(answer, len(named))
        return [
            result if isinstance(result, ItemError) else self._as_asked(item, result)
            for item, result in zip(items, results, strict=True)
        ]

    async def log_page(
        self, which: LogFilter, cursor: str | None = None, count: int | None = None, path: str = logs.EVENTS_PATH
    ) -> Response:
        """The answer that :meth:`logs` reads, once the burst limit lets it: for whoever asks for many at once."""
        return await self.ask(logs.logs_request(which, cursor, count, path), repeatable=True, paced=True)

    async def logs(
        self, which: LogFilter, cursor: str | None = None, count: int | None = None, path: str = logs.EVENTS_PATH
    ) -> Page[LogEntry]:
        """One page of log entries, newest first unless the filter says otherwise; ``count`` is the page's size."""
        return logs.parse_logs(await self.ask(logs.logs_request(which, cursor, count, path), repeatable=True))

    async def message(self, message_id: str) -> Message:
        """A message that is still held; 404 (Rejected) once it is finished or if it never was."""
        request = messages.message_request(_given("message_id", message_id))
        return messages.parse_message_response(await self.ask(request, repeatable=True))

    async def cancel(self, which: str | Sequence[str] | CancelFilter) -> int:
        """Cancel messages by id or filter: how many. An attempt in flight may still land.

        A filter that names nothing is refused: name a date to take everything. After a lost answer the number counts
        only the repeats.
        """
        if isinstance(which, str):
            request = messages.cancel_request(_given("message_id", which))
            return messages.parse_cancelled(await self.ask(request, repeatable=True))
        by_ids = not isinstance(which, CancelFilter)
        chosen = CancelFilter(message_ids=tuple(which)) if not isinstance(which, CancelFilter) else which
        if by_ids and not chosen.message_ids:
            return 0
        return await self._cancel_all(chosen)

    async def _cancel_all(self, which: CancelFilter) -> int:
        """The service cancels at most CANCEL_LIMIT a call and has no cursor: repeat until a call is not full."""
        total = 0
        for chosen in _split_ids(which):
            cancelled = messages.CANCEL_LIMIT
            while cancelled >= messages.CANCEL_LIMIT:
                request = messages.bulk_cancel_request(chosen, messages.CANCEL_LIMIT)
                cancelled = messages.parse_cancelled(await self.ask(request, repeatable=True))
                total += cancelled
        return total

    async def dead_letters(
        self, which: DlqFilter, cursor: str | None = None, count: int | None = None
    ) -> Page[DeadLetter]:
        """One page of dead letters, newest first unless the filter says otherwise; at most 100."""
        return dlq.parse_dlq(await self.ask(dlq.dlq_request(which, cursor, count), repeatable=True))

    async def dead_letter(self, dlq_id: str) -> DeadLetter:
        """One dead letter with its body; 404 (Rejected) if it is gone."""
        answer = await self.ask(dlq.dlq_get_request(_given("dlq_id", dlq_id)), repeatable=True)
        return dlq.parse_dead_letter_response(answer, dlq_id)

    async def delete_dead_letter(self, dlq_id: str) -> None:
        """Drop one dead letter for good; 404 (Rejected) if it is gone."""
        await self.ask(dlq.dlq_delete_request(_given("dlq_id", dlq_id)), repeatable=True)

    async def delete_dead_letters(self, which: DlqFilter) -> int:
        """Drop all that ``which`` names, page by page: how many. A filter that names nothing is refused."""
        total, cursor = 0, None
        while True:
            request = dlq.dlq_bulk_delete_request(which, cursor, dlq.DLQ_LIMIT)
            deleted, cursor = dlq.parse_deleted(await self.ask(request, repeatable=True))
            total += deleted
            if cursor is None:
                return total

    async def retry_dead_letter(self, dlq_id: str, overrides: Headers = ()) -> Receipt:
        """Publish a dead letter anew, as a new message; ``overrides`` are option headers. 404 if it is gone.

        Never asked twice: after OutcomeUnknown look whether the dead letter is gone, since then it was sent.
        """
        request = dlq.dlq_retry_request(_given("dlq_id", dlq_id), overrides)
        return dlq.parse_retried(await self.ask(request, repeatable=False))

    async def keys(self) -> KeyPair:
        """The account's signing keys."""
        return keys.parse_keys(await self.ask(keys.keys_request(), repeatable=True))

    async def rotate_keys(self) -> KeyPair:
        """Make the next key current and a new one next. Never asked twice: two rotations break every receiver."""
        return keys.parse_keys(await self.ask(keys.rotate_request(), repeatable=False))

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

    def _named(self, message: Publish) -> Publish:
        if message.deduplication_id is not None or message.content_based_deduplication:
            return message
        return msgspec.structs.replace(message, deduplication_id=self._ids.make(_MADE_ID))

    def _as_asked(self, message: Publish, receipts: list[Receipt]) -> list[Receipt]:
        """Under an id that was made here "deduplicated" can only mean our own repeat: to the caller it is the first."""
        if message.deduplication_id is not None or message.content_based_deduplication:
            return receipts
        return [replace(receipt, deduplicated=False) for receipt in receipts]

    async def ask(self, request: Request, *, repeatable: bool, paced: bool = False) -> Response:
        """Send what the wire built, for whatever has no verb here; see :mod:`qsops.client.core` for ``repeatable``.

        One that is ``paced`` waits for its turn under the burst limit.
        """
        signed = replace(request, headers=(self._authorization, *request.headers))
        asking = Asking(self._policy, repeatable=repeatable)
        while True:
            try:
                return await (self._in_turn(signed) if paced else self._once(signed, self._pace.told))
            except ServiceError as error:
                wait_s = asking.wait_s(error, now_ms=self._clock.now_ms(), jitter=self._ids.uniform())
            await self._sleep(wait_s)

    async def _in_turn(self, request: Request) -> Response:
        async with self._pace.turn() as turn:
            return await self._once(request, turn.told)

    async def _once(self, request: Request, told: Callable[[BurstLimit | None], None]) -> Response:
        answer = await self._transport.send(request)
        told(ratelimit(answer.headers))
        raise_for_status(answer)
        return answer


def _given(name: str, value: str) -> str:
    """An empty id would make the path that of the bulk verb, and cancel or delete everything."""
    if not value or not value.strip():
        raise SettingsError(f"{name} is empty: name one")
    return value


def _split_ids(which: CancelFilter) -> list[CancelFilter]:
    """Ids travel in the query: a long list goes in several requests."""
    ids = which.message_ids
    if len(ids) <= 100:
        return [which]
    return [replace(which, message_ids=ids[start : start + 100]) for start in range(0, len(ids), 100)]
