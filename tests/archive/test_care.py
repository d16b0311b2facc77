"""The verbs of care, wherever the tables lie; what they do to logs is told on folders, in tests/archiving."""

from __future__ import annotations

import pytest

from qsops.archive.compact import compact
from qsops.archive.dead_letters import Letters, Listed, keep_dead_letters
from qsops.archive.query import ask
from qsops.archive.state import load
from qsops.archive.status import status
from qsops.archive.store import Store
from qsops.clock import EPOCH_MS, ManualClock
from qsops.errors import SettingsError
from qsops.models import DeadLetter, Message


def _letter(number: int) -> DeadLetter:
    return DeadLetter(f"{EPOCH_MS + number}-{number}", Message(f"msg_{number}", "https://one.example", 1, 1))


def test_every_store_is_cared_for(any_store: Store):
    """Rows stand beside each other, files become few, and SQL and the status see them, and nothing but them."""
    clock = ManualClock(EPOCH_MS + 1_000)
    assert keep_dead_letters(any_store, clock, Listed((_letter(1), _letter(2))), bodies=False) == Letters(2, 2, 0)
    assert keep_dead_letters(any_store, clock, Listed((_letter(2), _letter(3))), bodies=False) == Letters(2, 1, 1)
    assert {one.table: one.files_after for one in compact(any_store, clock)} == {"dead_letters": 2, "commits": 1}
    state = load(any_store)
    found = ask(any_store, state, "select message_id, gone_ms is null as listed from dead_letters order by 1")
    assert [tuple(row.values()) for row in found.to_pylist()] == [("msg_1", False), ("msg_2", True), ("msg_3", True)]
    sizes = {one.name: one.rows for one in status(any_store, clock).tables}
    assert sizes == {"dead_letters": 3, "commits": 2}
    with pytest.raises(SettingsError, match="Cannot access file"):
        ask(any_store, state, f"select * from '{any_store.root}/commits/*.parquet'")
