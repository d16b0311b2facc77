"""The DLQ kept beside the log: each dead letter once, and when it was gone from the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from qsops import dlq
from qsops.archive.layout import DEAD_LETTERS
from qsops.archive.state import Change, State, amend
from qsops.archive.store import Part, Store
from qsops.client import Client
from qsops.clock import Clock
from qsops.models import DeadLetter, DlqFilter
from qsops.wire.dlq import DLQ_LIMIT, dlq_request, parse_dlq

__all__ = ["LETTERS_LIMIT", "Letters", "keep_dead_letters", "listed_dead_letters", "pull_dead_letters"]

#: The newest of them; what lies deeper in a DLQ is neither taken in nor looked after.
LETTERS_LIMIT: Final = 100_000
_BODIES: Final = ("body", "response_body")


@dataclass(frozen=True, slots=True)
class Letters:
    """How many dead letters there are at the service, were new to the archive, and are gone since the last look."""

    listed: int
    added: int
    gone: int


async def pull_dead_letters(client: Client) -> list[DeadLetter]:
    """The dead letters of the service, newest first, at most 100,000; under the burst limit."""
    found: list[DeadLetter] = []
    cursor: str | None = None
    while len(found) < LETTERS_LIMIT:
        request = dlq_request(DlqFilter(), cursor, DLQ_LIMIT)
        page = parse_dlq(await client.ask(request, repeatable=True, paced=True))
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    return found[:LETTERS_LIMIT]


def keep_dead_letters(store: Store, clock: Clock, letters: Sequence[DeadLetter], *, bodies: bool) -> Letters:
    """Take ``letters``, all that the service lists, into the table; texts of messages and answers with ``bodies``.

    Those that were listed before and are not now get ``gone_ms``: retried, deleted, or forgotten.
    """
    now_ms, found = clock.now_ms(), Letters(len(letters), 0, 0)

    def change(state: State) -> Change | None:
        nonlocal found
        base = state.tables.get(DEAD_LETTERS.name)
        listed, held = _frame(letters, now_ms, bodies), _held(store, state)
        is_gone = ~held["dlq_id"].isin(listed["dlq_id"])
        if len(letters) == LETTERS_LIMIT:
            is_gone &= held["failed_ms"] > listed["failed_ms"].min()
        gone, still = held[is_gone].assign(gone_ms=now_ms), held[~is_gone]
        wanted = pd.concat([_kept(listed, still), still[~still["dlq_id"].isin(listed["dlq_id"])]])
        found = Letters(len(letters), int((~listed["dlq_id"].isin(held["dlq_id"])).sum()), len(gone))
        if not found.added and not found.gone and not _is_fuller(wanted, held):
            return None
        removed = base.parted(open=True).files if base else ()
        parts = [Part(_table(wanted), open=True), Part(_table(gone), open=False)]
        return Change({DEAD_LETTERS.name: store.put(DEAD_LETTERS, base, parts, removed)})

    amend(store, clock, "dead letters", change)
    return found


def listed_dead_letters(store: Store, state: State) -> list[int]:
    """When those failed that the service still listed at the last look, unix milliseconds; unordered."""
    return [int(ms) for ms in _held(store, state)["failed_ms"].dropna()]


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
