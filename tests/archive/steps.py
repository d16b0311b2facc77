"""A store whose every step can be the last one of its process, or the moment at which somebody else comes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deltalake import DeltaTable

from qsops.archive.delta import DeltaStore
from qsops.archive.layout import Layout
from qsops.archive.store import File, Part, Snapshot
from qsops.clock import SystemClock

__all__ = ["Died", "Stepping", "dying_at"]


class Died(BaseException):
    """The process is gone: what is on disk stays as it is."""


def dying_at(step: int) -> Callable[[int], None]:
    """What lets a store go no further than a step."""

    def meet(number: int) -> None:
        if number >= step:
            raise Died

    return meet


class Stepping(DeltaStore):
    """``meet`` is told the number of each step: before and after a file is written, and before and after a commit."""

    def __init__(self, folder: Path, meet: Callable[[int], None]) -> None:
        super().__init__(str(folder), SystemClock())
        self.steps = 0
        self._meet = meet

    def _step(self) -> None:
        self.steps += 1
        self._meet(self.steps)

    def _written(self, layout: Layout, part: Part) -> File:
        self._step()
        file = super()._written(layout, part)
        self._step()
        return file

    def _commit(self, layout: Layout, table: DeltaTable, wanted: tuple[File, ...]) -> Snapshot:
        self._step()
        snapshot = super()._commit(layout, table, wanted)
        self._step()
        return snapshot
