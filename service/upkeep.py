"""Upkeep: what has to be done now and then, on a loop where one lives, else whenever the relay's route is called."""

from __future__ import annotations

import asyncio
from typing import Final

from service import log
from service.alerts import Alerts
from service.errors import StoreUnavailable
from service.pruning import Pruner

__all__ = ["Upkeep"]

#: For as long as that a caller of :meth:`Upkeep.once` waits, and at most so much of it for what is too old.
ONCE_S: Final = 10.0
PRUNE_S: Final = 4.0


class Upkeep:
    """Prunes claims, and tells of failures where ``alerts`` are on."""

    def __init__(self, pruner: Pruner, alerts: Alerts | None) -> None:
        self._pruner = pruner
        self._alerts = alerts

    def start(self) -> None:
        """Begin, on the running loop."""
        self._pruner.start()
        if self._alerts:
            self._alerts.start()

    async def aclose(self) -> None:
        """Stop."""
        await self._pruner.aclose()
        if self._alerts:
            await self._alerts.aclose()

    async def once(self) -> None:
        """Some pruning and one round, within bounds; nothing is raised, since the caller came for something else."""
        try:
            async with asyncio.timeout(ONCE_S):
                await self._pruner.prune(PRUNE_S)
                if self._alerts:
                    await self._alerts.round()
        except TimeoutError:
            log.fault("upkeep", error=f"not done within {ONCE_S:g} s: the next call goes on")
        except StoreUnavailable as error:
            log.fault("upkeep", error=str(error))
