"""Connections that are lent: at most so many, made when they are needed, and again when they were lost."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.pq import TransactionStatus

from service.errors import StoreUnavailable
from service.store.postgres.faults import UNPREPARED, is_away
from service.store.postgres.server import Connection, Server

__all__ = ["Lines"]


class Lines:
    """At most ``size`` connections to ``server``."""

    def __init__(self, server: Server, size: int) -> None:
        self._server = server
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._closed = False

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Connection]:
        """A connection outside of a transaction, for the caller alone; waits while all are lent.

        :raises StoreUnavailable: when the server is away.
        """
        async with self._free:
            connection = await self._ready()
            try:
                yield connection
            except psycopg.Error as error:
                if error.sqlstate in UNPREPARED:
                    self._server.prepares = False
                if is_away(error):
                    await connection.close()
                raise
            finally:
                await self._put_back(connection)

    async def aclose(self) -> None:
        """Close what nobody uses; what is lent is closed when it comes back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def _ready(self) -> Connection:
        if self._closed:
            raise StoreUnavailable(f"the database {self._server.name} is closed")
        while self._idle:
            connection = self._idle.pop()
            if not _has_ended(connection):
                return connection
            await connection.close()
        return await self._server.connect()

    async def _put_back(self, connection: Connection) -> None:
        # What was broken off in the middle is in a state that nobody knows.
        if self._closed or connection.info.transaction_status != TransactionStatus.IDLE:
            await connection.close()
        else:
            self._idle.append(connection)


def _has_ended(connection: Connection) -> bool:
    """Whether it is closed: nobody was asked anything, so what there is to read is a farewell."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
