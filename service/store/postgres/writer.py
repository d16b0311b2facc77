"""The writer: what is submitted while a group is written is the next group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from service.errors import StoreUnavailable
from service.store.postgres.faults import is_collision, told
from service.store.postgres.group import Work, run
from service.store.postgres.lines import Lines
from service.store.postgres.server import Server
from service.store.postgres.transaction import undo

__all__ = ["Writer"]

GROUP_LIMIT: Final = 512
#: How often a group is written anew after it collided with another process's.
ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class _Waiting:
    work: Work
    done: asyncio.Future[frozenset[str]]


class Writer:
    """Writes groups, one after the other, on a connection of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lines = Lines(server, 1)
        self._waiting: list[_Waiting] = []
        self._running: asyncio.Task[None] | None = None

    async def submit(self, work: Work) -> frozenset[str]:
        """Write ``work``; those of its events that were there before. It is written whether or not somebody waits.

        :raises StoreUnavailable: when the database is away, also when it is not known whether it has taken effect.
        :raises psycopg.Error: for a statement that fails.
        """
        waiting = _Waiting(work, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._run())
        return await waiting.done

    async def aclose(self) -> None:
        """Finish what waits, then close."""
        if self._running is not None:
            await asyncio.wait([self._running])
        await self._lines.aclose()

    async def _run(self) -> None:
        while self._waiting:
            members = self._next_group()
            try:
                await self._write(members)
            except BaseException:
                # Nobody may be left waiting, whatever ends this task.
                _fail([*members, *self._waiting], StoreUnavailable("the writer was ended"))
                raise

    def _next_group(self) -> list[_Waiting]:
        """Those of the kind of the one that waits longest; they wait no more."""
        kind = type(self._waiting[0].work)
        members = [waiting for waiting in self._waiting if type(waiting.work) is kind][:GROUP_LIMIT]
        taken = set(map(id, members))
        self._waiting = [waiting for waiting in self._waiting if id(waiting) not in taken]
        return members

    async def _write(self, members: Sequence[_Waiting]) -> None:
        """Write a group; where one of it is at fault, halves find it, and only it fails."""
        try:
            results = await self._commit([waiting.work for waiting in members])
        except StoreUnavailable as error:
            _fail(members, error)
        except Exception as error:  # noqa: BLE001  # it belongs to whoever submitted it, whatever it is
            if len(members) == 1:
                return _fail(members, error)
            middle = len(members) // 2
            await self._write(members[:middle])
            await self._write(members[middle:])
        else:
            for waiting, result in zip(members, results, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(result)
        return None

    async def _commit(self, works: Sequence[Work]) -> list[frozenset[str]]:
        async with told(self._server.name):
            for _ in range(ATTEMPTS - 1):
                try:
                    return await self._attempt(works)
                except psycopg.Error as error:
                    if not is_collision(error):
                        raise
            return await self._attempt(works)

    async def _attempt(self, works: Sequence[Work]) -> list[frozenset[str]]:
        async with self._lines.line() as connection:
            try:
                return await run(connection, works)
            except BaseException:
                await undo(connection)
                raise


def _fail(members: Sequence[_Waiting], error: BaseException) -> None:
    for waiting in members:
        if not waiting.done.done():
            waiting.done.set_exception(error)
