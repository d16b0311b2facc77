"""Transactions, with limits of their own: a pooler lends the session behind them to others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus

from service.store.postgres.server import Connection

__all__ = ["LIMITS", "begin", "transaction", "undo"]

#: What the server itself puts an end to, in milliseconds.
LIMITS: Final = {
    "statement_timeout": 10_000,
    "lock_timeout": 5_000,
    "idle_in_transaction_session_timeout": 30_000,
}


async def begin(connection: Connection, *, read_only: bool = False, within_s: float | None = None) -> None:
    """Begin a transaction whose statements may take ``within_s``; within a pipeline it takes no round of its own."""
    await connection.execute("begin read only" if read_only else "begin")
    chosen = LIMITS if within_s is None else {**LIMITS, "statement_timeout": int(within_s * 1000)}
    limits = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in chosen.items())
    # To compile our statements takes longer than to run them.
    await connection.execute(f"select {limits}, set_config('jit', 'off', true)")


@asynccontextmanager
async def transaction(
    connection: Connection, *, read_only: bool = False, within_s: float | None = None
) -> AsyncIterator[None]:
    """Begin, and commit at the end; an exception undoes what was done within."""
    try:
        async with connection.pipeline():
            await begin(connection, read_only=read_only, within_s=within_s)
        yield
        await connection.execute("commit")
    except BaseException:
        await undo(connection)
        raise


async def undo(connection: Connection) -> None:
    """Roll back what is left open."""
    if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        try:
            await connection.rollback()
        except psycopg.Error:
            pass  # then it is broken, and will be closed
