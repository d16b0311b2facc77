"""The relay: the outbox to QStash, under the same deduplication ids, until it is empty.

It runs while something waits. A round leases what is due, a request's worth at first, more as soon as QStash is seen to
answer, and sends it in lanes, so that what is of one conversation stays in its order. When QStash does not answer, the
next round waits, longer each time, or until a publish elsewhere shows that QStash is back.

Any number of relays may share an outbox: while the lease of one holds, no other is given the row. Whoever is killed
loses its leases as they run out, and what it had sent by then is sent again under the same deduplication id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from qsops.clock import Clock, Ids
from qsops.errors import QsopsError
from service import log
from service.failures import Failure, Result, is_outage
from service.lanes import BATCH, LANES
from service.publishing import Publisher
from service.store import Backlog, Parked, Postponed, Queued, Sent, Store, Unreadable, Verdict

__all__ = ["DRAIN_WITHIN_S", "LEASE_MS", "Drained", "Relay"]

FIRST_WAIT_MS: Final = 1_000
LONGEST_WAIT_MS: Final = 300_000
#: For a database that is away: to ask it again costs nobody anything, and everything waits for it.
LONGEST_FAULT_MS: Final = 10_000
#: A round ends after so long, and so does ``POST /api/internal/relay``; what is left is for the next.
DRAIN_WITHIN_S: Final = 20.0
#: Longer than a round with all that it sends, even where two machines' clocks disagree by half a minute.
LEASE_MS: Final = 60_000
#: How often somebody who has nothing to do looks for what another process has left behind.
IDLE_MS: Final = 60_000
#: What a stop waits for: the answers of requests that are under way.
STOP_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Drained:
    """What a round did; ``answered`` is False when QStash could not be asked, and the round was given up.

    ``is_over`` is True when nothing was left that could have been taken.
    """

    sent: int = 0
    postponed: int = 0
    parked: int = 0
    answered: bool = True
    is_over: bool = False

    def __add__(self, other: Drained) -> Drained:
        return Drained(
            self.sent + other.sent,
            self.postponed + other.postponed,
            self.parked + other.parked,
            self.answered and other.answered,
            self.is_over or other.is_over,
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
        self._faults = 0
        self._watches = False
        self._stops = False

    def start(self) -> None:
        """Send what an earlier process left, and look now and then for what another one leaves behind."""
        self._watches = True
        self.wake()

    def qstash_answered(self) -> None:
        """QStash was seen to answer: a wait for it ends."""
        if self._outages:
            self._nudge.set()

    def wake(self) -> None:
        """Something may wait in the outbox. It does not end a wait for QStash: that would make every event knock."""
        if not self._outages:
            self._nudge.set()
        if not self._stops and (self._running is None or self._running.done()):
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def drain(self, *, everything: bool = False, within_s: float = DRAIN_WITHIN_S) -> Drained:
        """Send what is due now, or ``everything`` that is not parked, for ``within_s`` at most; each row once."""
        until_s = asyncio.get_running_loop().time() + within_s
        total, after, limit = Drained(), 0, BATCH
        while total.answered and not self._stops and (left_s := until_s - asyncio.get_running_loop().time()) > 0:
            now_ms = self._clock.now_ms()
            rows = await self._store.take(now_ms, limit, now_ms + LEASE_MS, everything=everything, after=after)
            if not rows:
                return total + Drained(is_over=True)
            total += await self._settle(rows, left_s)
            # The first request has found out whether QStash is there.
            after, limit = rows[-1].row_id, BATCH * LANES
        return total

    async def backlog(self) -> Backlog:
        """What waits, and since when: the relay's lag."""
        return await self._store.lag()

    async def aclose(self) -> None:
        """Stop once the requests under way are answered, or without; what was not sent stays in the outbox."""
        self._stops = True
        self._nudge.set()
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running], timeout=STOP_WITHIN_S)
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        self._outages = 0
        while not self._stops:
            self._nudge.clear()
            due_at_ms = await self._round()
            if self._stops or (due_at_ms is None and not self._watches and not self._nudge.is_set()):
                return
            if due_at_ms is None:
                await self._wait(IDLE_MS)
            else:
                # While QStash is away it decides when to try again; after that a fault, or each row for itself.
                away_ms = self._backoff_ms(self._outages)
                await self._wait(away_ms or due_at_ms - self._clock.now_ms())

    async def _round(self) -> int | None:
        """Send what is due; when the next row is, None if there is none."""
        try:
            drained = await self.drain(everything=self._outages > 0)
            self._outages = 0 if drained.answered else self._outages + 1
            self._faults = 0
            if drained.is_over:
                return (await self._store.backlog()).due_at_ms
            # Something is left: to count it would take longer, the longer an outage has lasted.
            return self._clock.now_ms()
        except QsopsError as error:
            log.fault("relay", error=str(error))
        except Exception as error:  # noqa: BLE001  # a fault in one round must not end all later ones
            log.fault("relay", error=type(error).__name__)
        self._faults += 1
        return self._clock.now_ms() + min(self._backoff_ms(self._faults), LONGEST_FAULT_MS)

    async def _wait(self, wait_ms: int) -> None:
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._nudge.wait()
        except TimeoutError:
            pass  # The usual end of a wait: it is time for the next round.

    async def _settle(self, rows: Sequence[Queued | Unreadable], within_s: float) -> Drained:
        """Send ``rows``, and write what became of them."""
        readable = [row for row in rows if isinstance(row, Queued)]
        results: Sequence[Result] = []
        if readable:
            messages, conversations = [row.publish for row in readable], [row.conversation for row in readable]
            results = await self._publisher.send(messages, conversations, within_s)
        verdicts: list[tuple[Queued | Unreadable, Verdict]] = [
            *((row, _parked(row, row.reason)) for row in rows if isinstance(row, Unreadable)),
            *((row, self._verdict(row, result)) for row, result in zip(readable, results, strict=True)),
        ]
        await self._store.settle(verdicts, self._clock.now_ms())
        kinds = [type(verdict) for _, verdict in verdicts]
        return Drained(kinds.count(Sent), kinds.count(Postponed), kinds.count(Parked), not is_outage(results))

    def _verdict(self, row: Queued, result: Result) -> Verdict:
        if not isinstance(result, Failure):
            return Sent(result.message_id)
        if result.parked:
            return _parked(row, result.reason)
        wait_ms = self._backoff_ms(row.attempts + 1) if result.tried else 0
        return Postponed(result.reason, self._clock.now_ms() + wait_ms)

    def _backoff_ms(self, failures: int) -> int:
        """Doubling, with jitter downwards so that processes that share an outage do not return as one."""
        if failures == 0:
            return 0
        ceiling_ms = min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** min(failures - 1, 20))
        return int(ceiling_ms * (0.5 + self._ids.uniform() / 2))


def _parked(row: Queued | Unreadable, reason: str) -> Parked:
    """Laid aside for a person, so that the rows behind it go."""
    log.fault("parked", event_id=row.event_id, row=row.row_id, reason=reason)
    return Parked(reason)
