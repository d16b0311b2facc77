"""What an error of PostgreSQL means: the database is away, somebody was in our way, or the statement is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from service.errors import StoreUnavailable

__all__ = ["UNPREPARED", "VERB_WITHIN_S", "is_away", "is_collision", "told"]

#: The server gives a statement up before that, unless nothing of it is heard any more.
VERB_WITHIN_S: Final = 15.0
#: Connection lost, resources or disk gone, shut down, system error, corrupt, no such database, not let in.
_AWAY_CLASSES: Final = frozenset({"08", "28", "3D", "53", "58", "F0", "XX"})
#: Another connection prepared it: a pooler between us and the server mixes them up.
UNPREPARED: Final = frozenset({"26000", "42P05"})
_AWAY: Final = UNPREPARED | frozenset(
    {
        "25006",  # read-only: a standby, or a disk that is nearly full
        "25P03",  # our transaction idled too long
        "55P03",  # waited too long for a lock
        "57014",  # the statement took too long
        "57P01",
        "57P02",
        "57P03",
        "57P05",
        "0A000",  # a prepared plan does not fit a schema that another process has just migrated
    }
)
_COLLISIONS: Final = frozenset({"40001", "40P01"})


def is_away(error: psycopg.Error) -> bool:
    """Whether it says that the database cannot be reached or written, and not that a statement is wrong."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if error.sqlstate == "0A000":
        return "cached plan" in str(error)
    return error.sqlstate in _AWAY or error.sqlstate[:2] in _AWAY_CLASSES


def is_collision(error: BaseException) -> bool:
    """Whether two transactions were in each other's way, and this one had to give up."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _COLLISIONS


@asynccontextmanager
async def told(where: str, within_s: float | None = None) -> AsyncIterator[None]:
    """A database that is away, or silent for ``within_s``, is no fault of the statement, nor of the event: say so."""
    within_s = VERB_WITHIN_S if within_s is None else within_s
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError as error:
        raise StoreUnavailable(f"the database {where} does not answer within {within_s:g} s") from error
    except psycopg.Error as error:
        if is_away(error) or is_collision(error):
            raise StoreUnavailable(f"the database {where} is away: {_one_line(error)}") from error
        raise
    except OSError as error:
        raise StoreUnavailable(f"the database {where} is away: {error}") from error


def _one_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
