"""A sync: what QStash has and the archive has not, window by window, each of them committed before the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from qsops import frames
from qsops.archive.merging import Merged, merge
from qsops.archive.source import Pulled, Source, TooMany, present_ms
from qsops.archive.spans import Span
from qsops.archive.state import load
from qsops.archive.store import Store
from qsops.archive.windows import FIRST_MS, MOST, narrower, wanted, wider
from qsops.clock import Clock, utc
from qsops.errors import SettingsError

__all__ = ["LATENESS_MS", "RETENTION_MS", "SyncReport", "pulled_spans", "sync"]

#: How long after its time an entry may still turn up in a listing.
LATENESS_MS: Final = 600_000
#: No plan remembers its log for less: three days.
RETENTION_MS: Final = 3 * 86_400_000


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did: from when to when it pulled, in how many windows; entries it met, took in, and kept aside.

    ``forgotten`` are the parts of the range that QStash no longer remembers and the archive has not. ``commit`` is the
    number of the last commit it made.
    """

    from_ms: int
    to_ms: int
    windows: int
    entries: int
    added: int
    malformed: int
    forgotten: tuple[Span, ...] = ()
    commit: int | None = None


def sync(
    store: Store,
    source: Source,
    clock: Clock,
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    lateness_ms: int = LATENESS_MS,
    retention_ms: int = RETENTION_MS,
    kind: str = "sync",
    most: int = MOST,
) -> SyncReport:
    """Pull into the archive what it lacks of a range: from where it begins, or from all that QStash remembers, to now.

    Killed at any time, it has lost nothing but the window it was at; the next one goes on there. Entries that are
    listed up to ``lateness_ms`` after their time are caught by the next sync. ``retention_ms`` is what the plan
    remembers at the least.

    :raises SettingsError: the range is in the future, or all of it is forgotten.
    :raises ServiceError: a page cannot be had; the windows before it are in the archive.
    """
    covered = load(store).covered
    our_ms = clock.now_ms()
    oldest_ms = source.oldest_ms()
    now_ms = present_ms(source, our_ms)
    until_ms = now_ms if to_ms is None else min(to_ms, now_ms)
    remembered_ms = now_ms - retention_ms if oldest_ms is None else min(oldest_ms, now_ms - retention_ms)
    since_ms = from_ms if from_ms is not None else covered[0][0] if covered else min(remembered_ms, until_ms)
    if since_ms > until_ms:
        raise SettingsError(f"since {utc(since_ms):%Y-%m-%d %H:%M:%S} is after {utc(until_ms):%Y-%m-%d %H:%M:%S} UTC")
    lost = _lost(wanted(covered, since_ms, until_ms, 0), remembered_ms)
    if lost and until_ms < remembered_ms:
        raise SettingsError(
            f"QStash remembers nothing before {utc(remembered_ms):%Y-%m-%d %H:%M:%S} UTC: a range up to "
            f"{utc(until_ms):%Y-%m-%d %H:%M:%S} is outside of its retention, and nothing was pulled"
        )
    lacking = [
        (max(first_ms, remembered_ms), last_ms)
        for first_ms, last_ms in wanted(covered, since_ms, until_ms, lateness_ms)
        if last_ms >= remembered_ms
    ]

    def heads(message_ids: Sequence[str], before_ms: int) -> pa.Table:
        is_gone = oldest_ms is not None and before_ms <= oldest_ms
        return frames.ENTRIES.empty_table() if is_gone else source.heads(message_ids, before_ms)

    done = [
        merge(store, clock, kind, pulled, window, heads)
        for span in lacking
        for window, pulled in pulled_spans(source, span, most)
    ]
    return _report(lacking[0][0] if lacking else until_ms, until_ms, done, lost)


def pulled_spans(source: Source, span: Span, most: int = MOST) -> Iterator[tuple[Span, Pulled]]:
    """``span`` in windows of whole milliseconds with at most about ``most`` entries each, oldest first.

    A stretch without entries belongs to the window that follows it.
    """
    at_ms, begun_ms, width_ms = span[0], span[0], FIRST_MS
    while at_ms <= span[1]:
        window = (at_ms, min(at_ms + width_ms - 1, span[1]))
        width_ms = window[1] - window[0] + 1
        try:
            pulled = source.entries(window, None if width_ms == 1 else most)
        except TooMany:
            width_ms = narrower(width_ms)
            continue
        if pulled.entries.num_rows or pulled.malformed or window[1] == span[1]:
            yield (begun_ms, window[1]), pulled
            begun_ms = window[1] + 1
        at_ms, width_ms = window[1] + 1, wider(width_ms, pulled.entries.num_rows, most)


def _lost(lacking: tuple[Span, ...], remembered_ms: int) -> tuple[Span, ...]:
    return tuple(
        (first_ms, min(last_ms, remembered_ms - 1)) for first_ms, last_ms in lacking if first_ms < remembered_ms
    )


def _report(since_ms: int, until_ms: int, done: list[Merged], lost: tuple[Span, ...]) -> SyncReport:
    commits = [one.commit.number for one in done if one.commit is not None]
    return SyncReport(
        since_ms,
        until_ms,
        windows=len(done),
        entries=sum(one.entries for one in done),
        added=sum(one.added for one in done),
        malformed=sum(one.malformed for one in done),
        forgotten=lost,
        commit=commits[-1] if commits else None,
    )
