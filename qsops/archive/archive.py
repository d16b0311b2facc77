"""An archive as whoever reads it sees it: its tables, and what was committed."""

from __future__ import annotations

from typing import Any

from qsops.archive.layout import ATTEMPTS, LOGS, MESSAGES
from qsops.archive.reading import committed, table
from qsops.archive.state import State
from qsops.archive.store import Store
from qsops.clock import Clock

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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._store.root!r})"
