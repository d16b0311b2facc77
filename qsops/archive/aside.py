"""What is neither a log entry nor a dead letter is kept aside as it came, in the table ``malformed``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from qsops.archive.layout import MALFORMED
from qsops.archive.numbering import fresh_texts
from qsops.archive.state import State
from qsops.archive.store import Part, Snapshot, Store
from qsops.clock import Clock

__all__ = ["raw_of", "set_aside"]


def raw_of(value: Any) -> str:
    """The JSON of what was listed: the same text for the same value, whatever is in it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def set_aside(store: Store, state: State, clock: Clock, raws: Sequence[str]) -> tuple[dict[str, Snapshot], int]:
    """The table with those of ``raws`` that it has not, by its name, and how many they are; nothing if there are none.

    It has of equal ones as many as came at once at the most.
    """
    if not raws:
        return {}, 0
    before = state.tables.get(MALFORMED.name)
    among = pc.field("raw").isin(pa.array(set(raws), pa.string()))
    held = MALFORMED.schema.empty_table() if before is None else store.dataset(before).to_table(filter=among)
    new = fresh_texts(raws, held)
    if not new:
        return {}, 0
    rows = [{"seen_ms": clock.now_ms(), "raw": raw, "seq": seq} for raw, seq in new]
    part = Part(pa.Table.from_pylist(rows, schema=MALFORMED.schema))
    return {MALFORMED.name: store.put(MALFORMED, before, [part])}, len(new)
