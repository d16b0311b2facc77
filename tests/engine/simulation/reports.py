"""Callbacks: one for each outcome that is in the log, one more for the last, and none of anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsops.models import LogEntry, State
from tests.engine.simulation.model import Sent

if TYPE_CHECKING:
    from tests.engine.simulation.world import World

__all__ = ["Reports"]


class Reports:
    def __init__(self, world: World) -> None:
        self._world = world
        self._awaiting: set[Sent] = set()

    def on_row(self, row: LogEntry, sent: Sent) -> None:
        """Stands behind the rule of attempts, which has counted this failure."""
        callback, failure_callback = sent.publish.callback, sent.publish.failure_callback
        status = sent.arrival.outcome.status if sent.arrival is not None else 0
        retried = sent.failures if row.state == State.DELIVERED else sent.failures - 1
        if callback is not None and row.state in (State.DELIVERED, State.ERROR):
            sent.awaited.append((callback.url, retried, status))
            self._awaiting.add(sent)
        if failure_callback is not None and row.state == State.FAILED:
            sent.awaited.append((failure_callback.url, retried, status))
            self._awaiting.add(sent)

    def on_new_life(self) -> None:
        """An outcome and its callbacks are one commit, so a crash parts them no less than anything else does."""
        self._check()

    async def at_rest(self) -> None:
        self._check()

    def _check(self) -> None:
        for sent in self._awaiting:
            assert sent.awaited == [], f"nobody was told of {sent.awaited} of {sent.message_id}"
        self._awaiting.clear()
