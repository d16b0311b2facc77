"""Pruning: claims that no repeat can ask for any more are deleted, a few at a time, now and then.

A claim is needed as long as its event may come again: Meta repeats a POST for 36 hours, and a dead letter can be
replayed as long as QStash keeps it. What keeps effects apart after that is the event's identity in the effects' own
rows.
"""

from __future__ import annotations

import asyncio
from typing import Final

from qsops.clock import Clock
from service import log
from service.errors import StoreUnavailable
from service.store import Store

__all__ = ["PORTION", "Pruner"]

#: Rows in one transaction: a few milliseconds, between which others write.
PORTION: Final = 200
#: Portions in one go. What is left is for the next: two million in an interval, as many as a process takes in it.
PORTIONS: Final = 10_000
EVERY_S: Final = 600.0
PAUSE_S: Final = 0.02
#: A pause is so many times as long as the portion before it took: others have three quarters of the database's time.
PAUSES: Final = 3.0


class Pruner:
    """Deletes claims, and callbacks, that are older than ``retention_s``."""

    def __init__(self, store: Store, clock: Clock, retention_s: int) -> None:
        self._store = store
        self._clock = clock
        self._retention_ms = retention_s * 1000
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Prune every ten minutes, the first time after ten: a start has other things to do."""
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Stop."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def prune(self, within_s: float = EVERY_S) -> int:
        """Forget what is too old, portion by portion, for ``within_s`` at most; how many rows there were."""
        now_s, total = asyncio.get_running_loop().time, 0
        until_s = now_s() + within_s
        for _ in range(PORTIONS):
            begun_s = now_s()
            deleted = await self._store.prune(self._clock.now_ms() - self._retention_ms, PORTION)
            total += deleted
            pause_s = max(PAUSE_S, PAUSES * (now_s() - begun_s))
            if deleted < PORTION or now_s() + pause_s > until_s:
                break
            await asyncio.sleep(pause_s)
        return total

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                deleted = await self.prune()
            except StoreUnavailable as error:
                log.fault("prune", error=str(error))
            except Exception as error:  # noqa: BLE001  # a fault in one round must not end all later ones
                log.fault("prune", error=type(error).__name__)
            else:
                if deleted:
                    log.line("prune", deleted=deleted)
