"""The archive of a session: what keeps the log of its account."""

from __future__ import annotations

from datetime import timedelta

from qsops.archive import Archive, SyncReport
from qsops.archive.dead_letters import Letters, keep_dead_letters, pull_dead_letters
from qsops.archive.source import LogSource, Run
from qsops.archive.store import Store
from qsops.archive.syncing import LATENESS_MS, RETENTION_MS, sync
from qsops.archive.verify import VerifyReport, verify
from qsops.archive.windows import MOST, MOST_WITH_BODIES
from qsops.session.progress import waiting
from qsops.session.windows import Moment, moment_ms, span_ms
from qsops.session.wiring import Wiring

__all__ = ["SessionArchive"]


class SessionArchive(Archive):
    """An archive that is fed from the log of the session's account: ``qs.archive()``."""

    def __init__(self, store: Store, wiring: Wiring) -> None:
        super().__init__(store, wiring.clock)
        self._wiring = wiring

    def sync(
        self,
        since: Moment | None = None,
        until: Moment | None = None,
        *,
        bodies: bool = False,
        lateness: str | float | timedelta = LATENESS_MS / 1000,
        retention: str | float | timedelta = RETENTION_MS / 1000,
        progress: bool | None = None,
    ) -> SyncReport:
        """Take in what the log has and the archive has not, from its beginning to now unless said otherwise.

        With ``bodies`` also the texts of messages and answers, of the entries that are new; what is redacted stays so.
        An entry may turn up ``lateness`` after its time. ``retention`` is how long your plan remembers the log, at
        least. However often, wherever killed and with however many at once: each entry is there once.

        :raises SettingsError: all of the range is forgotten, or in the future.
        """
        now_ms, client = self._clock.now_ms(), self._wiring.client("archive.sync")
        from_ms, to_ms = moment_ms("since", since, now_ms), moment_ms("until", until, now_ms)
        lateness_ms, retention_ms = span_ms("lateness", lateness), span_ms("retention", retention)

        def work(run: Run) -> SyncReport:
            return sync(
                self._store,
                LogSource(client, run, bodies=bodies),
                self._clock,
                from_ms=from_ms,
                to_ms=to_ms,
                lateness_ms=lateness_ms,
                retention_ms=retention_ms,
                most=MOST_WITH_BODIES if bodies else MOST,
            )

        with self._reported():
            return waiting(self._wiring, "archive", work, progress)

    def verify(
        self,
        since: Moment | None = None,
        until: Moment | None = None,
        *,
        bodies: bool = False,
        retention: str | float | timedelta = RETENTION_MS / 1000,
        progress: bool | None = None,
    ) -> VerifyReport:
        """Pull again what it has, all that the service remembers unless said otherwise, and take in what came later.

        :raises SettingsError: there is no archive, or all of the range is forgotten.
        """
        now_ms, client = self._clock.now_ms(), self._wiring.client("archive.verify")
        from_ms, to_ms = moment_ms("since", since, now_ms), moment_ms("until", until, now_ms)
        retention_ms = span_ms("retention", retention)

        def work(run: Run) -> VerifyReport:
            return verify(
                self._store,
                LogSource(client, run, bodies=bodies),
                self._clock,
                from_ms=from_ms,
                to_ms=to_ms,
                retention_ms=retention_ms,
                most=MOST_WITH_BODIES if bodies else MOST,
            )

        with self._reported():
            return waiting(self._wiring, "archive", work, progress)

    def keep_dead_letters(self, *, bodies: bool = False) -> Letters:
        """Take in the dead letters that the service lists, and note which are gone; texts only with ``bodies``."""
        client = self._wiring.client("archive.sync")
        found = self._wiring.portal.call(lambda: pull_dead_letters(client))
        with self._reported():
            return keep_dead_letters(self._store, self._clock, found, bodies=bodies)
