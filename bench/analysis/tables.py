"""An archive of planted logs, as the archive's own writer lays it out, and what its folding cost.

The log is made and folded in pieces, each of other messages and days, so that a hundred million rows need no more
memory than a few. What was made once is used again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench.frame import PEERS
from bench.planted import live, log_table, plan
from qsops import fold
from qsops.archive.delta import DeltaStore
from qsops.archive.layout import ATTEMPTS, LOGS, MESSAGES, Layout
from qsops.archive.store import Part, Snapshot
from qsops.clock import SystemClock
from qsops.fold.portable import portable_logs

__all__ = ["archive", "files", "made", "piece"]

#: Of one piece; with what fails and is tried again it has 2.5 million rows.
MESSAGES_A_PIECE = 816_000
_DAYS = 2
_DAY_US = 86_400_000_000
_MADE = "made.json"


def piece(number: int, messages: int = MESSAGES_A_PIECE) -> pa.Table:
    """The log of one piece: its messages have ids of their own, and days of their own."""
    made = plan(100 + number, messages, days=_DAYS)
    table = log_table(made, live(made))
    later = pa.scalar(number * _DAYS * _DAY_US, pa.duration("us"))
    for name in ("time", "next_delivery_at"):
        table = table.set_column(table.schema.get_field_index(name), name, pc.add(table[name], later))
    ids = pc.binary_join_element_wise(f"msg_{number:03}", pc.utf8_slice_codeunits(table["message_id"], 4), "")
    return table.set_column(table.schema.get_field_index("message_id"), "message_id", ids)


def archive(pieces: int, messages: int = MESSAGES_A_PIECE, folder: Path = PEERS) -> Path:
    """The folder of an archive of so many pieces, which is made where it is not there."""
    root = folder / f"analysis-{pieces}x{messages}"
    if not (root / _MADE).exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        _make(root, pieces, messages)
    return root


def made(root: Path) -> dict[str, float]:
    """What was made: ``rows`` of the log, and the seconds that it took to fold them and to write all tables."""
    found: dict[str, float] = json.loads((root / _MADE).read_text())
    return found


def files(root: Path, layout: Layout) -> Sequence[str]:
    """The Parquet files of one table."""
    found = _store(root).snapshot(layout)
    assert found is not None
    return found.uris


def _make(root: Path, pieces: int, messages: int) -> None:
    store, bases = _store(root), dict[str, Snapshot]()
    rows, folding_s, writing_s = 0, 0.0, 0.0
    for number in range(pieces):
        log = piece(number, messages)
        began = time.perf_counter()
        folded = fold.tables(log)
        folding_s += time.perf_counter() - began
        began = time.perf_counter()
        for layout, table in (
            (LOGS, _whole(portable_logs(log))),
            (ATTEMPTS, folded.attempts),
            (MESSAGES, folded.messages),
        ):
            part = Part(table, open=False if layout.parted else None)
            bases[layout.name] = store.put(layout, bases.get(layout.name), [part])
        writing_s += time.perf_counter() - began
        rows += log.num_rows
    told = {"rows": rows, "folding_s": folding_s, "writing_s": writing_s}
    (root / _MADE).write_text(json.dumps(told))


def _whole(logs: pa.Table) -> pa.Table:
    """With the columns of bodies, which were not pulled."""
    for field in LOGS.schema:
        if field.name not in logs.column_names:
            logs = logs.append_column(field, pa.nulls(logs.num_rows, field.type))
    return logs


def _store(root: Path) -> DeltaStore:
    return DeltaStore(str(root), SystemClock())
