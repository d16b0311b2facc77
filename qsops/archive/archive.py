"""An archive as whoever reads it sees it: its tables, and what was committed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

from qsops.archive.compact import KEEP_MS, Compacted, compact
from qsops.archive.layout import ATTEMPTS, LOGS, MESSAGES
from qsops.archive.reading import committed, table
from qsops.archive.state import State
from qsops.archive.status import EVERY_MS, Status, status
from qsops.archive.store import Store
from qsops.clock import Clock
from qsops.plans import plan_named

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Archive"]


class Archive:
    """Opened by :func:`qsops.archive.open_archive`, or by ``qs.archive()``, which can also sync it.

    Each verb looks at the latest commit anew; the tables it gives stay as they were then, whatever is written
    meanwhile, and nobody waits for anybody.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def store(self) -> Store:
        """The port to where the tables lie."""
        return self._store

    def state(self) -> State:
        """The latest commit, and the versions of the tables that it names.

        :raises SettingsError: there is no archive, or a newer qsops wrote it.
        :raises Corrupt: a part of it is gone.
        """
        return committed(self._store)

    def logs(self) -> Any:
        """Log entries as an Ibis table: the columns of a frame of logs, bodies (null unless kept), and ``time_ms``."""
        return table(self._store, self.state(), LOGS)

    def attempts(self) -> Any:
        """HTTP attempts as an Ibis table of :data:`qsops.frames.PORTABLE_ATTEMPTS`."""
        return table(self._store, self.state(), ATTEMPTS)

    def messages(self) -> Any:
        """Messages as an Ibis table of :data:`qsops.frames.PORTABLE_MESSAGES`; unfinished ones as they stood."""
        return table(self._store, self.state(), MESSAGES)

    def status(
        self,
        plan: str = "free",
        *,
        every_ms: int = EVERY_MS,
        zone: tzinfo = UTC,
        since_ms: int | None = None,
    ) -> Status:
        """What it covers, lacks and has lost, and what QStash is about to forget on ``plan``; see :func:`status`.

        :raises SettingsError: there is no archive, or no such plan.
        """
        with self._reported():
            return status(
                self._store, self._clock, plan=plan_named(plan), every_ms=every_ms, zone=zone, since_ms=since_ms
            )

    def compact(self, *, keep_ms: int = KEEP_MS) -> tuple[Compacted, ...]:
        """Merge small files, and delete those that were replaced more than ``keep_ms`` ago; see :func:`compact`."""
        with self._reported():
            return compact(self._store, self._clock, keep_ms=keep_ms)

    def sql(self, text: str) -> pd.DataFrame:
        """What a SELECT gives, in DuckDB's words, over the tables by their names; at most a million rows.

        :raises SettingsError: it does not parse, or does more than read these tables.
        """
        # DuckDB takes its time to load, which a sync does not have to spend.
        from qsops.archive.query import ask, frame_of

        with self._reported():
            return frame_of(ask(self._store, self.state(), text))

    def _reported(self) -> AbstractContextManager[None]:
        """What goes wrong within is told in our words, also where a table is only read."""
        # Whoever has a store has the packages for it.
        from qsops.archive.faults import reported

        return reported(self._store.root)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._store.root!r})"
