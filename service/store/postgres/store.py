"""The store on PostgreSQL: groups of writes on one connection, reads and the rarer verbs on a few others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from qsops.models import LedgerEntry
from qsops.sqlite import migrations_in
from service.store import outbox
from service.store.postgres.faults import told
from service.store.postgres.group import Claiming, Receiving, Work
from service.store.postgres.lines import Lines
from service.store.postgres.named import numbered
from service.store.postgres.probe import probe
from service.store.postgres.schema import WITHIN_MS, migrate
from service.store.postgres.server import Connection, Server
from service.store.postgres.transaction import transaction
from service.store.postgres.writer import Writer
from service.store.steps import Many, Rows, Steps
from service.store.values import Effects, Outgoing, Queued, Row, Statement, Unreadable
from service.store.verbs import Verbs

__all__ = ["LOCKED", "PostgresStore"]

T = TypeVar("T")

READERS: Final = 4
#: For verbs that are transactions of their own.
OTHERS: Final = 2
_KNOWN: Final = "select event_id from events where event_id = any($1::text[])"
# As an array they are looked up by their key; joined, the whole table would be looked through.
LOCKED: Final = "id = any(array({next} for update skip locked))"
# Two that take at once would part a conversation between them: they take turns.
_IN_TURN: Final = Statement("select pg_advisory_xact_lock(hashtext('qsops outbox'))")


class PostgresStore(Verbs):
    """A :class:`~service.store.port.Store` in the database at ``url``, which other processes may share.

    :raises SettingsError: when ``url`` is no address of a PostgreSQL.
    """

    body_holds = "position(convert_to(:needle, 'UTF8') in body) > 0"
    # By a key of several columns it would look through the whole table.
    rows = "ctid = any(array(select ctid {found}))"

    def __init__(self, url: str) -> None:
        self._server = Server(url)
        self._writer = Writer(self._server)
        self._readers = Lines(self._server, READERS)
        self._others = Lines(self._server, OTHERS)
        self._opening: asyncio.Task[None] | None = None
        self._is_open = False

    async def known(self, event_ids: Sequence[str]) -> frozenset[str]:
        async with told(self._server.name):
            await self._opened()
            async with self._readers.line() as connection:
                found = await connection.execute(_KNOWN, [list(event_ids)])
                return frozenset(event_id for (event_id,) in await found.fetchall())

    async def record(self, entries: Sequence[LedgerEntry], outgoing: Sequence[Outgoing], now_ms: int) -> None:
        await self._submit(Receiving(entries, outgoing, now_ms))

    async def receive(
        self, entries: Sequence[LedgerEntry], outgoing: Sequence[Outgoing], now_ms: int
    ) -> frozenset[str]:
        return await self._submit(Receiving(entries, outgoing, now_ms, if_new=True))

    async def commit(self, effects: Effects, now_ms: int) -> bool:
        return not await self._submit(Claiming(effects, now_ms))

    async def fetch(self, statement: Statement) -> list[Row]:
        translated = numbered(statement.sql)
        values = translated.values(statement.parameters)
        async with told(self._server.name):
            await self._opened()
            async with self._readers.line() as connection, transaction(connection, read_only=True):
                cursor = await connection.execute(translated.sql, values)
                names: list[Any] = [column.name for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()] if names else []

    async def take(
        self, now_ms: int, limit: int, until_ms: int, *, everything: bool = False, after: int = 0
    ) -> list[Queued | Unreadable]:
        steps = outbox.take(now_ms, limit, until_ms, after, everything=everything, these=LOCKED)
        return await self._write(_in_turn(steps))

    async def ping(self) -> None:
        async with told(self._server.name):
            await self._opened()
            async with self._others.line() as connection:
                await probe(connection, self._server.name)

    async def open(self) -> None:
        await self._opened()

    async def aclose(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        await self._writer.aclose()
        for lines in (self._readers, self._others):
            await lines.aclose()

    async def _submit(self, work: Work) -> frozenset[str]:
        async with told(self._server.name):
            await self._opened()
            return await self._writer.submit(work)

    async def _read(self, steps: Steps[T]) -> T:
        async with told(self._server.name):
            await self._opened()
            async with self._readers.line() as connection, transaction(connection, read_only=True):
                return await _run(connection, steps)

    async def _write(self, steps: Steps[T], within_s: float | None = None) -> T:
        async with told(self._server.name, within_s):
            await self._opened()
            async with self._others.line() as connection, transaction(connection, within_s=within_s):
                return await _run(connection, steps)

    async def _opened(self) -> None:
        """Migrate once, however many ask; the next one tries again if that has failed."""
        if self._is_open:
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._migrate())
        await asyncio.shield(self._opening)

    async def _migrate(self) -> None:
        async with told(self._server.name, WITHIN_MS / 1000), self._others.line() as connection:
            await self._server.look_for_pooler(connection)
            await migrate(connection, migrations_in("service.store.postgres.migrations"), self._server.name)
        self._is_open = True


def _in_turn(steps: Steps[T]) -> Steps[T]:
    yield _IN_TURN
    return (yield from steps)


async def _run(connection: Connection, steps: Steps[T]) -> T:
    rows: Rows = ()
    try:
        step = next(steps)
        while True:
            rows = await _step(connection, step)
            step = steps.send(rows)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def _step(connection: Connection, step: Statement | Many) -> Rows:
    translated = numbered(step.sql)
    cursor = connection.cursor()
    if isinstance(step, Many):
        if step.rows:
            await cursor.executemany(translated.sql, [translated.values(row) for row in step.rows])
        return ((cursor.rowcount if step.rows else 0,),)
    await cursor.execute(translated.sql, translated.values(step.parameters))
    return await cursor.fetchall() if cursor.description else ()
