"""The relay: the outbox to QStash, under the same deduplication ids, until it is empty.

It runs only while something waits. A round sends what is due in batches; when QStash does not answer, the next round
waits, longer each time, or until a publish elsewhere shows that QStash is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from qsops.clock import Clock, Ids
from qsops.errors import QsopsError
from service import log
from service.publishing import Failure, Publisher, Result
from service.store import Parked, Postponed, Queued, Sent, Store, Unreadable, Verdict

__all__ = ["Drained", "Relay"]

BATCH: Final = 100
FIRST_WAIT_MS: Final = 1_000
LONGEST_WAIT_MS: Final = 300_000
#: What a relay that has died held is sent by another one after so long; a batch is answered well before that.
LEASE_MS: Final = 120_000


@dataclass(frozen=True, slots=True)
class Drained:
    """What a round did; ``answered`` is False when QStash could not be asked, and the round was given up."""

    sent: int = 0
    postponed: int = 0
    parked: int = 0
    answered: bool = True

    def __add__(self, other: Drained) -> Drained:
        return Drained(
            self.sent + other.sent,
            self.postponed + other.postponed,
            self.parked + other.parked,
            self.answered and other.answered,
        )


class Relay:
    """Sends the outbox: :meth:`wake` starts it, :meth:`aclose` stops it. What is in between is sent again."""

    def __init__(self, store: Store, publisher: Publisher, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._ids = ids
        self._running: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self._outages = 0
        self._sending = asyncio.Lock()

    def qstash_answered(self) -> None:
        """QStash was seen to answer: a wait for it ends."""
        self._nudge.set()

    def wake(self) -> None:
        """Something may wait in the outbox. It does not end a wait for QStash: that would make every event knock."""
        if not self._outages:
            self._nudge.set()
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def drain(self, *, everything: bool = False) -> Drained:
        """Send what is due now, or ``everything`` that is not parked; each row once."""
        total, after = Drained(), 0
        async with self._sending:
            while total.answered and (rows := await self._take(after, everything=everything)):
                unreadable = [row for row in rows if isinstance(row, Unreadable)]
                if unreadable:
                    total += await self._park(unreadable)
                if readable := [row for row in rows if isinstance(row, Queued)]:
                    total += await self._send(readable)
                after = rows[-1].row_id
        return total

    async def aclose(self) -> None:
        """Stop; what was not sent stays in the outbox."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        self._outages = 0
        while True:
            self._nudge.clear()
            due_at_ms = await self._round()
            if due_at_ms is not None:
                # While QStash is away it decides when to try again; after that each row for itself.
                away_ms = self._backoff_ms(self._outages)
                await self._wait(away_ms or due_at_ms - self._clock.now_ms())
            elif not self._nudge.is_set():
                return

    async def _take(self, after: int, *, everything: bool) -> list[Queued | Unreadable]:
        now_ms = self._clock.now_ms()
        return await self._store.take(now_ms, BATCH, now_ms + LEASE_MS, everything=everything, after=after)

    async def _round(self) -> int | None:
        """Send what is due; when the next row is, None if there is none."""
        try:
            drained = await self.drain(everything=self._outages > 0)
            self._outages = 0 if drained.answered else self._outages + 1
            return (await self._store.backlog()).due_at_ms
        except QsopsError as error:
            log.fault("relay", error=str(error))
            self._outages += 1
            return self._clock.now_ms()

    async def _wait(self, wait_ms: int) -> None:
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._nudge.wait()
        except TimeoutError:
            pass  # The usual end of a wait: it is time for the next round.

    async def _send(self, rows: Sequence[Queued]) -> Drained:
        results = await self._publisher.send([row.publish for row in rows])
        if len(rows) > 1 and _is_refused(results):
            # One of them spoils the batch: halves find it, and only it is parked.
            middle = len(rows) // 2
            return await self._send(rows[:middle]) + await self._send(rows[middle:])
        verdicts = [(row, self._verdict(row, result)) for row, result in zip(rows, results, strict=True)]
        await self._store.settle(verdicts, self._clock.now_ms())
        kinds = [type(verdict) for _, verdict in verdicts]
        answered = not any(isinstance(r, Failure) and r.whole and not r.parked for r in results)
        return Drained(kinds.count(Sent), kinds.count(Postponed), kinds.count(Parked), answered)

    async def _park(self, rows: Sequence[Unreadable]) -> Drained:
        """Lay aside what nobody can send, so that the rows behind it go."""
        for row in rows:
            log.fault("parked", event_id=row.event_id, row=row.row_id, reason=row.reason)
        await self._store.settle([(row, Parked(row.reason)) for row in rows], self._clock.now_ms())
        return Drained(parked=len(rows))

    def _verdict(self, row: Queued, result: Result) -> Verdict:
        if not isinstance(result, Failure):
            return Sent(result.message_id)
        if result.parked:
            log.fault("parked", event_id=row.event_id, reason=result.reason)
            return Parked(result.reason)
        return Postponed(result.reason, self._clock.now_ms() + self._backoff_ms(row.attempts + 1))

    def _backoff_ms(self, failures: int) -> int:
        """Doubling, with jitter downwards so that processes that share an outage do not return as one."""
        if failures == 0:
            return 0
        ceiling_ms = min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** min(failures - 1, 20))
        return int(ceiling_ms * (0.5 + self._ids.uniform() / 2))


def _is_refused(results: Sequence[Result]) -> bool:
    """The batch as a whole was refused for what it holds, not for when it came."""
    return all(
        isinstance(result, Failure) and result.whole and result.name in {"rejected", "too_large"} for result in results
    )
