"""The DLQ kept beside the log: each dead letter once, and when it was gone from the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from qsops import dlq
from qsops.archive.aside import raw_of, set_aside
from qsops.archive.layout import DEAD_LETTERS
from qsops.archive.state import Change, State, amend
from qsops.archive.store import File, Part, Snapshot, Store, holding
from qsops.client import Client
from qsops.client.cursors import Cursors
from qsops.clock import Clock
from qsops.errors import Corrupt
from qsops.models import DeadLetter, DlqFilter
from qsops.wire.dlq import DLQ_LIMIT, dlq_request, listed_dlq, parse_dead_letter

__all__ = ["LETTERS_LIMIT", "Letters", "Listed", "keep_dead_letters", "listed_dead_letters", "pull_dead_letters"]

#: The newest of them; what lies deeper in a DLQ is neither taken in nor looked after.
LETTERS_LIMIT: Final = 100_000
_PAGE_LIMIT: Final = 10_000
_BODIES: Final = ("body", "response_body")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing of the DLQ has: dead letters, the newest first, and the JSON of what is none."""

    letters: tuple[DeadLetter, ...]
    malformed: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out at its end."""
        return len(self.letters) + len(self.malformed) < LETTERS_LIMIT


@dataclass(frozen=True, slots=True)
class Letters:
    """How many dead letters there are at the service, were new to the archive, and are gone since the last look.

    ``malformed`` are those that can be no dead letters, and were new as well.
    """

    listed: int
    added: int
    gone: int
    malformed: int = 0


async def pull_dead_letters(client: Client) -> Listed:
    """The dead letters of the service, at most 100,000 of them; under the burst limit.

    :raises Corrupt: when its cursor leads in a circle, or there are more than 10,000 pages.
    """
    found: list[Any] = []
    cursor: str | None = None
    cursors = Cursors("DLQ", _PAGE_LIMIT, "retry or delete what is in it")
    while True:
        request = dlq_request(DlqFilter(), cursor, DLQ_LIMIT)
        page, cursor = listed_dlq(await client.ask(request, repeatable=True, paced=True))
        found += page
        if cursor is None or len(found) >= LETTERS_LIMIT:
            return _listed(found[:LETTERS_LIMIT])
        cursors.follow(cursor)


def keep_dead_letters(store: Store, clock: Clock, found: Listed, *, bodies: bool) -> Letters:
    """Take in what was ``found``, all that the service lists; texts of messages and answers with ``bodies``.

    Those that were listed before and are not now get ``gone_ms``: retried, deleted, or forgotten. One that is listed
    again, as beside another sync whose look was at another time, is gone no more.
    """
    now_ms, told = clock.now_ms(), Letters(len(found.letters), 0, 0)

    def change(state: State) -> Change | None:
        nonlocal told
        listed, held = _frame(found.letters, now_ms, bodies), _held(store, state)
        again = _again(store, state, listed[~listed["dlq_id"].isin(held["dlq_id"])])
        known = pd.concat([held, again.letters])
        is_gone = ~known["dlq_id"].isin(listed["dlq_id"])
        if not found.is_whole:
            is_gone &= known["failed_ms"] > listed["failed_ms"].min()
        gone, still = known[is_gone].assign(gone_ms=now_ms), known[~is_gone]
        wanted = pd.concat([_kept(listed, still), still[~still["dlq_id"].isin(listed["dlq_id"])]])
        tables, malformed = set_aside(store, state, clock, found.malformed)
        added = int((~listed["dlq_id"].isin(known["dlq_id"])).sum())
        told = Letters(len(found.letters), added, len(gone), malformed)
        if added or len(gone) or again.files or _is_fuller(wanted, held):
            base = state.tables.get(DEAD_LETTERS.name)
            removed = [*(base.parted(open=True).files if base else ()), *again.files]
            parts = [Part(_table(wanted), open=True), *again.others, Part(_table(gone), open=False)]
            tables[DEAD_LETTERS.name] = store.put(DEAD_LETTERS, base, parts, removed)
        return Change(tables, malformed=malformed) if tables else None

    amend(store, clock, "dead letters", change)
    return told


def listed_dead_letters(store: Store, state: State) -> list[int]:
    """When those failed that the service still listed at the last look, unix milliseconds; unordered."""
    return [int(ms) for ms in _held(store, state)["failed_ms"].dropna()]


def _listed(found: Sequence[Any]) -> Listed:
    letters = [(one, _letter(one)) for one in found]
    return Listed(
        tuple(letter for _, letter in letters if letter is not None),
        tuple(raw_of(one) for one, letter in letters if letter is None),
    )


def _letter(fields: Any) -> DeadLetter | None:
    """A dead letter of its JSON; None where it cannot be told from others."""
    try:
        letter = parse_dead_letter(fields)
    except Corrupt:
        return None
    return letter if letter.dlq_id else None


def _frame(letters: Sequence[DeadLetter], now_ms: int, bodies: bool) -> pd.DataFrame:
    frame = dlq.frame(letters, bodies=bodies).drop_duplicates("dlq_id")
    frame["failed_ms"] = (
        frame["failed_at"].astype("datetime64[ms, UTC]").astype("int64").where(frame["failed_at"].notna())
    )
    empty: dict[str, Any] = {} if bodies else dict.fromkeys(_BODIES)
    return frame.assign(seen_ms=now_ms, gone_ms=None, **empty)


def _held(store: Store, state: State) -> pd.DataFrame:
    """The rows of those that were listed at the last look."""
    base = state.tables.get(DEAD_LETTERS.name)
    schema = DEAD_LETTERS.schema
    table = store.dataset(base.parted(open=True)).to_table() if base else schema.empty_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame


@dataclass(frozen=True, slots=True)
class _Again:
    """Letters that were gone and are listed again, the files that they lie in, and what else is in these."""

    letters: pd.DataFrame
    files: tuple[File, ...]
    others: tuple[Part, ...]


def _again(store: Store, state: State, unknown: pd.DataFrame) -> _Again:
    """Which of ``unknown``, that are listed and were not at the last look, were so before."""
    base = state.tables.get(DEAD_LETTERS.name) or Snapshot(DEAD_LETTERS.name, 0, ())
    is_one = pc.field("dlq_id").isin(pa.array(unknown["dlq_id"], pa.string()))
    where = is_one & _since(unknown["failed_ms"].dropna())
    files = holding(store, base.parted(open=False), where) if len(unknown) else []
    there = [store.dataset(replace(base, files=(file,))) for file in files]
    letters = pa.concat_tables([DEAD_LETTERS.schema.empty_table(), *(one.to_table(filter=is_one) for one in there)])
    others = tuple(Part(one.to_table(filter=~is_one), open=False) for one in there)
    frame = letters.sort_by("seen_ms").to_pandas().drop_duplicates("dlq_id").assign(gone_ms=None)
    return _Again(frame, tuple(files), others)


def _since(failed_ms: pd.Series) -> pc.Expression:
    """So that what failed long ago is not looked through."""
    by = pc.field(DEAD_LETTERS.by)
    return pc.scalar(True) if failed_ms.empty else (by >= int(failed_ms.min())) | by.is_null()


def _kept(listed: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """``listed`` with when it was first seen, and the texts that an earlier look has kept."""
    before = held.set_index("dlq_id").reindex(listed["dlq_id"])
    kept = {
        name: listed[name].where(before[name].isna().to_numpy(), before[name].to_numpy())
        for name in ("seen_ms", *_BODIES)
    }
    return listed.assign(**kept)


def _is_fuller(wanted: pd.DataFrame, held: pd.DataFrame) -> bool:
    return int(wanted["body"].notna().sum()) > int(held["body"].notna().sum())


def _table(frame: pd.DataFrame) -> pa.Table:
    ordered = frame.sort_values(["failed_ms", "dlq_id"])
    return pa.Table.from_pandas(ordered, schema=DEAD_LETTERS.schema, preserve_index=False)
