"""Runs of workflows, as far as the first message of each tells of them."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.rows import decode_headers
from qsops.models import Triggered
from qsops.wire.runs import run_id_of

__all__ = ["run_key", "run_started_by"]

_FIRST: Final = "select headers, created_ms from messages where account = ? and id = ?"


def run_key(run_id: str) -> str:
    """What two triggers share that name the same run: the second starts none."""
    return f"run:{run_id}"


def run_started_by(connection: Connection, account: int, message_id: str) -> Triggered | None:
    """The run that the message started, which there was before; None if it is no longer kept."""
    row = connection.execute(_FIRST, (account, message_id)).fetchone()
    run_id = run_id_of(decode_headers(row[0])) if row else None
    return None if run_id is None else Triggered(run_id, row[1], deduplicated=True)
