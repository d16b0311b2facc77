"""Pulling again what the archive has already: what came later still is merged, and what differs is told."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc

from qsops.archive.layout import LOGS
from qsops.archive.merging import merge
from qsops.archive.reading import committed
from qsops.archive.source import Source, present_ms
from qsops.archive.spans import Span
from qsops.archive.state import load
from qsops.archive.store import Store
from qsops.archive.syncing import RETENTION_MS, pulled_spans
from qsops.archive.windows import MOST
from qsops.clock import Clock, utc
from qsops.errors import SettingsError

__all__ = ["VerifyReport", "verify"]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a range holds at QStash and here: entries pulled again, those of them that were missing here and are added,
    malformed ones that were new, and ``only_here`` those that QStash lists no more.

    ``unverifiable`` is the part of the range that QStash no longer remembers; None if there is none.
    """

    from_ms: int
    to_ms: int
    windows: int
    entries: int
    added: int
    malformed: int
    only_here: int
    unverifiable: Span | None = None
    commit: int | None = None


def verify(
    store: Store,
    source: Source,
    clock: Clock,
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    retention_ms: int = RETENTION_MS,
    most: int = MOST,
) -> VerifyReport:
    """Pull a range again, by default all of the archive that QStash still remembers, and merge what is missing.

    :raises SettingsError: there is no archive, the range is empty, or QStash remembers none of it.
    :raises ServiceError: a page cannot be had; the windows before it are verified.
    """
    covered, our_ms = committed(store).covered, clock.now_ms()
    if not covered:
        raise SettingsError(
            f"{store.root}: no range of the log was archived yet: qsops archive sync --dir {store.root}"
        )
    oldest_ms = source.oldest_ms()
    now_ms = present_ms(source, our_ms)
    begin_ms = covered[0][0] if from_ms is None else from_ms
    end_ms = min(now_ms, covered[-1][1] if to_ms is None else to_ms)
    if begin_ms > end_ms:
        raise SettingsError(f"since {_shown(begin_ms)} is after {_shown(end_ms)}: there is nothing to verify")
    remembered_ms = min(now_ms - retention_ms, now_ms if oldest_ms is None else oldest_ms)
    if end_ms < remembered_ms:
        raise SettingsError(
            f"QStash remembers nothing before {_shown(remembered_ms)}: a range up to {_shown(end_ms)} is outside of "
            "its retention, and nothing was verified"
        )
    lost = (begin_ms, remembered_ms - 1) if begin_ms < remembered_ms else None
    return _verified(store, source, clock, (max(begin_ms, remembered_ms), end_ms), most, lost)


def _verified(store: Store, source: Source, clock: Clock, span: Span, most: int, lost: Span | None) -> VerifyReport:
    windows = entries = added = malformed = only_here = 0
    commit = None
    for window, pulled in pulled_spans(source, span, most):
        found = merge(store, clock, "verify", pulled, window, source.heads)
        windows, entries, added = windows + 1, entries + found.entries, added + found.added
        malformed += found.malformed
        # A service may have its own idea of where a range ends.
        only_here += max(0, _held(store, window) - found.entries)
        commit = commit if found.commit is None else found.commit.number
    return VerifyReport(span[0], span[1], windows, entries, added, malformed, only_here, lost, commit)


def _held(store: Store, window: Span) -> int:
    """How many entries of a window the archive has."""
    logs = load(store).tables.get(LOGS.name)
    if logs is None:
        return 0
    within = (pc.field("time_ms") >= window[0]) & (pc.field("time_ms") <= window[1])
    return int(store.dataset(logs).count_rows(filter=within))


def _shown(at_ms: int) -> str:
    return f"{utc(at_ms):%Y-%m-%d %H:%M:%S} UTC"
