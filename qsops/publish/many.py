"""Many messages: batches bounded in count and bytes, several in flight, each row's outcome known in the end.

A row's key makes its deduplication id, so that whatever is sent again within QStash's window makes no duplicate;
beyond the window the journal says what was sent. What neither can tell is reported, and sent again only when asked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from qsops.client import Client
from qsops.clock import Clock, utc
from qsops.errors import AuthError, QsopsError, RateLimited, Rejected, ServerFault, SettingsError, Unreachable
from qsops.models import ItemError, Publish, Receipt
from qsops.publish.journal import Accepted, Journal
from qsops.publish.rows import Keyed

__all__ = ["Limits", "Outcome", "publish_many"]

# QStash remembers a deduplication id for 10 minutes; what is left is for the client's own patience and the upload.
RESEND_WITHIN_MS: Final = 7 * 60_000
_ITEM_OVERHEAD: Final = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """``batch_bytes`` is well under the service's 100 MB a request: a lost answer should cost little to repeat."""

    batch_count: int = 250
    batch_bytes: int = 4 * 1024 * 1024
    in_flight: int = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row; of a row to a URL group there is one for each endpoint.

    ``deduplicated`` means: taken before, not sent again. ``error`` means: QStash does not hold it, or it is unknown.
    """

    key: str
    message_id: str | None = None
    deduplicated: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    position: int
    key: str
    message: Publish
    fingerprint: str


async def publish_many(
    client: Client,
    rows: Iterable[Keyed],
    journal: Journal,
    *,
    clock: Clock,
    limits: Limits = Limits(),
    report: Callable[[int], None] | None = None,
    resend_unknown: bool = False,
) -> list[Outcome]:
    """Publish ``rows`` and say of each what became of it, in their order; ``report`` is told of finished rows.

    A refused row is an outcome with an error, and the others go through. A key in doubt whose deduplication window
    has passed is one too, unless ``resend_unknown``.

    :raises ServiceError: QStash cannot be reached, the token is no good, the daily quota is used up. What was in
        flight is waited for; the journal holds what was taken, and the same call resumes.
    """
    run = _Run(client, journal, clock, limits, report or (lambda _: None), resend_unknown)
    in_flight: set[asyncio.Task[None]] = set()
    try:
        for batch in run.batches(rows):
            while len(in_flight) >= limits.in_flight:
                in_flight = await _some_done(in_flight)
            in_flight.add(asyncio.create_task(run.send(batch)))
        while in_flight:
            in_flight = await _some_done(in_flight)
    except asyncio.CancelledError:
        for task in in_flight:
            task.cancel()
        raise
    except QsopsError as error:
        # Without this the rows in flight would be in doubt for nothing.
        await asyncio.gather(*in_flight, return_exceptions=True)
        error.add_note(f"stopped after {run.done} rows; the same call resumes where it stopped")
        raise
    finally:
        await asyncio.gather(*in_flight, return_exceptions=True)
    return [outcome for position in range(len(run.outcomes)) for outcome in run.outcomes[position]]


async def _some_done(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return pending


class _Run:
    """One call's state: the outcomes by row, and the journal they are written to."""

    def __init__(
        self,
        client: Client,
        journal: Journal,
        clock: Clock,
        limits: Limits,
        report: Callable[[int], None],
        resend_unknown: bool,
    ) -> None:
        self.outcomes: dict[int, tuple[Outcome, ...]] = {}
        self.done = 0
        self._client = client
        self._journal = journal
        self._clock = clock
        self._limits = limits
        self._report = report
        self._resend_unknown = resend_unknown

    def batches(self, rows: Iterable[Keyed]) -> Iterator[list[_Item]]:
        """What is still to be sent, in batches; rows of which the outcome is known already are settled here."""
        batch: list[_Item] = []
        size = 0
        for position, row in enumerate(rows):
            if row.message is None:
                self._settle(position, Outcome(row.key, error=row.error))
                continue
            fingerprint = _fingerprint(row.message)
            known = self._known(row, fingerprint)
            if known:
                self._settle(position, *known)
                continue
            item = _Item(position, row.key, row.message, fingerprint)
            if not _is_text(item.message.body):
                # A batch is JSON, and has no form for a body that is no text.
                yield [item]
                continue
            cost = len(item.message.body) + _ITEM_OVERHEAD
            if batch and (len(batch) >= self._limits.batch_count or size + cost > self._limits.batch_bytes):
                yield batch
                batch, size = [], 0
            batch.append(item)
            size += cost
        if batch:
            yield batch

    def _known(self, row: Keyed, fingerprint: str) -> tuple[Outcome, ...]:
        """What is known of a row without sending it; nothing of one that is to be sent."""
        before = self._journal.accepted.get(row.key)
        if before is not None and before.fingerprint != fingerprint:
            why = f"key {row.key!r} was sent before with other content: choose another key, or another journal"
            return (Outcome(row.key, error=why),)
        if before is not None:
            return tuple(Outcome(row.key, receipt.message_id, True) for receipt in before.receipts)
        sent_ms = self._journal.in_doubt.get(row.key)
        if sent_ms is not None and not self._resend_unknown and self._is_forgotten(sent_ms):
            why = (
                f"sent at {utc(sent_ms):%Y-%m-%d %H:%M:%S} UTC, its answer never came, and QStash has forgotten its "
                f"deduplication id: look it up in the logs, then send it with resend_unknown=True or drop it"
            )
            return (Outcome(row.key, error=why),)
        return ()

    def _is_forgotten(self, sent_ms: int) -> bool:
        return self._clock.now_ms() - sent_ms > RESEND_WITHIN_MS

    def _settle(self, position: int, *outcomes: Outcome) -> None:
        self.outcomes[position] = outcomes
        self.done += 1
        self._report(1)

    async def send(self, batch: list[_Item]) -> None:
        """Send ``batch`` and note what became of it, before and after; if all is refused for one, try the halves.

        On any other error, a lost answer or one that cannot be read, its keys stay in doubt.
        """
        await self._note(lambda: self._journal.sending([item.key for item in batch], self._clock.now_ms()))
        try:
            answers = await self._ask(batch)
        except Rejected as error:
            if isinstance(error, ServerFault):
                raise
            await self._not_taken(batch)
            if isinstance(error, (AuthError, RateLimited)):
                raise
            middle = len(batch) // 2
            await self.send(batch[:middle])
            await self.send(batch[middle:])
        except (Unreachable, SettingsError):
            await self._not_taken(batch)
            raise
        else:
            await self._take(batch, answers)

    async def _ask(self, batch: list[_Item]) -> Sequence[list[Receipt] | ItemError]:
        if len(batch) > 1:
            return await self._client.batch([item.message for item in batch])
        try:
            return [await self._client.publish(batch[0].message)]
        except Rejected as error:
            if isinstance(error, (AuthError, RateLimited, ServerFault)):
                raise
            return [ItemError(str(error))]

    async def _not_taken(self, batch: list[_Item]) -> None:
        await self._note(lambda: self._journal.settled((), [item.key for item in batch]))

    async def _take(self, batch: list[_Item], answers: Sequence[list[Receipt] | ItemError]) -> None:
        pairs = list(zip(batch, answers, strict=True))
        accepted = [Accepted(i.key, i.fingerprint, tuple(a)) for i, a in pairs if not isinstance(a, ItemError)]
        refused = [item.key for item, answer in pairs if isinstance(answer, ItemError)]
        await self._note(lambda: self._journal.settled(accepted, refused))
        for item, answer in pairs:
            if isinstance(answer, ItemError):
                self._settle(item.position, Outcome(item.key, error=answer.error))
            else:
                self._settle(item.position, *(Outcome(item.key, r.message_id, r.deduplicated) for r in answer))

    async def _note(self, write: Callable[[], None]) -> None:
        """An fsync takes milliseconds, in which the other batches should go on."""
        if self._journal.path is None:
            write()
        else:
            await asyncio.to_thread(write)


def _fingerprint(message: Publish) -> str:
    """What makes two messages the same to their destination, as 64 bits."""
    parts = (message.destination, message.method, message.queue or "", repr(message.headers))
    return hashlib.sha256("\0".join(parts).encode() + b"\0" + message.body).hexdigest()[:16]


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
