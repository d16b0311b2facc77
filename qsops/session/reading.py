"""The verbs that read: log entries and what is folded from them, as frames.

pandas is loaded by the first of them, since it takes as long as all the rest of a session.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from qsops.clock import utc
from qsops.models import LogFilter
from qsops.session.progress import reporting
from qsops.session.windows import Moment, Texts, log_filter
from qsops.session.wiring import Wiring

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from qsops.fold import Folded
    from qsops.trace import Timeline

__all__ = ["Reading"]

_Pull = Callable[..., Coroutine[Any, Any, list["pa.Table"]]]


class Reading:
    """What a session reads, on the parts of ``wiring``."""

    _wiring: Wiring

    def logs(
        self,
        since: Moment | None = None,
        until: Moment | None = None,
        *,
        state: Texts | None = None,
        url: Texts | None = None,
        label: Texts | None = None,
        queue: Texts | None = None,
        message_id: Texts | None = None,
        bodies: bool = False,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """Log entries as a frame, one row each; texts of messages and answers only with ``bodies``.

        ``since`` and ``until`` are ISO dates (UTC), datetimes, or spans back from now such as ``"1h"``.
        """
        which = self._which(
            since,
            until,
            state=state,
            url=url,
            label=label,
            queue=queue,
            message_id=message_id,
        )
        return self._logs(which, bodies=bodies, progress=progress)

    def attempts(
        self,
        since: Moment | None = None,
        until: Moment | None = None,
        *,
        url: Texts | None = None,
        label: Texts | None = None,
        queue: Texts | None = None,
        message_id: Texts | None = None,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """HTTP attempts as a frame, one row each, of that window.

        For their numbers, the beginnings of messages that are older than the window are fetched, too.
        """
        which = self._which(since, until, url=url, label=label, queue=queue, message_id=message_id)
        from qsops import fold

        found = fold.attempts(self._whole_logs(which, progress=progress))
        return found if which.from_ms is None else _ended_since(found, which.from_ms)

    def messages(
        self,
        since: Moment | None = None,
        until: Moment | None = None,
        *,
        url: Texts | None = None,
        label: Texts | None = None,
        queue: Texts | None = None,
        message_id: Texts | None = None,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """Messages as a frame, one row each, of which anything was logged in that window.

        Of those that are older than the window the beginning is fetched, too.
        """
        which = self._which(since, until, url=url, label=label, queue=queue, message_id=message_id)
        from qsops import fold

        return fold.messages(self._whole_logs(which, progress=progress))

    def folded(
        self,
        since: Moment | None = None,
        until: Moment | None = None,
        *,
        url: Texts | None = None,
        label: Texts | None = None,
        queue: Texts | None = None,
        message_id: Texts | None = None,
        progress: bool | None = None,
    ) -> Folded:
        """``attempts`` and ``messages`` of that window at once, as the verbs of these names give them.

        The log is read once for both.
        """
        which = self._which(since, until, url=url, label=label, queue=queue, message_id=message_id)
        from qsops import fold

        found = fold.fold(self._whole_logs(which, progress=progress))
        if which.from_ms is None:
            return found
        return found._replace(attempts=_ended_since(found.attempts, which.from_ms))

    def trace(self, ref: str) -> Timeline:
        """What happened to one message, by its id, by ``"event:ID"`` or by ``"ig:MID"``: received to processed."""
        from qsops import trace

        client, ledger = self._wiring.client("trace"), self._wiring.consumers.ledger
        return self._wiring.portal.call(lambda: trace.timeline(client, ledger, ref))

    def _which(self, since: Moment | None, until: Moment | None, **named: Texts | None) -> LogFilter:
        return log_filter(self._wiring.clock.now_ms(), since, until, **named)

    def _logs(self, which: LogFilter, *, bodies: bool, progress: bool | None) -> pd.DataFrame:
        from qsops import trace

        return self._pulled(partial(trace.pull_tables, bodies=bodies), which, bodies=bodies, progress=progress)

    def _whole_logs(self, which: LogFilter, *, progress: bool | None) -> pd.DataFrame:
        from qsops import trace

        return self._pulled(trace.pull_with_heads, which, bodies=False, progress=progress)

    def _pulled(self, pull: _Pull, which: LogFilter, *, bodies: bool, progress: bool | None) -> pd.DataFrame:
        from qsops import frames

        client = self._wiring.client("logs")
        tables = reporting(
            self._wiring,
            "logs",
            lambda report: pull(client, which, progress=report),
            None,
            progress,
        )
        return frames.logs_of(tables, bodies=bodies)


def _ended_since(attempts: pd.DataFrame, from_ms: int) -> pd.DataFrame:
    """The attempts that ended in the range, or began in it without an end; those before it only lent their numbers."""
    last = attempts["ended_at"].fillna(attempts["started_at"])
    return attempts[last >= utc(from_ms)].reset_index(drop=True)
