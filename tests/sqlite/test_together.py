"""Operations of one kind that wait together are one call."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence

import pytest

from qsops.sqlite import Database

SCHEMA = ["create table t (n integer not null unique);"]
calls: list[list[int]] = []


def insert_all(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[str]:
    calls.append(list(numbers))
    connection.executemany("insert into t values (?)", [(number,) for number in numbers])
    return [f"row {number}" for number in numbers]


@pytest.fixture(params=[":memory:", "file"])
async def database(request: pytest.FixtureRequest, tmp_path: object) -> AsyncIterator[Database]:
    calls.clear()
    database = Database(request.param if request.param == ":memory:" else f"{tmp_path}/t.db", SCHEMA)
    yield database
    database.close()


def rows(database: Database) -> list[int]:
    return database.read(lambda found: [row[0] for row in found.execute("select n from t order by n")])


async def test_what_waits_together_is_one_call(database: Database):
    """Each gets its own result of it; what waits beside it, of another kind, is run as well."""
    beside = database.submit(lambda connection: connection.execute("insert into t values (9)").rowcount)
    *told, other = await asyncio.gather(*(database.submit_each(insert_all, n) for n in range(3)), beside)
    assert (told, other, calls) == (["row 0", "row 1", "row 2"], 1, [[0, 1, 2]])
    assert rows(database) == [0, 1, 2, 9]


async def test_one_at_fault_fails_alone(database: Database):
    """The call for all is undone, and made for each by itself: only who is at fault hears of it."""
    waiting = [database.submit_each(insert_all, number) for number in (0, 1, 1)]
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert told[:2] == ["row 0", "row 1"]
    assert isinstance(told[2], sqlite3.IntegrityError)
    assert calls == [[0, 1, 1], [0], [1], [1]]
    assert rows(database) == [0, 1]


async def test_alone_it_is_one_call_too(database: Database):
    """Nobody else has to wait."""
    assert await database.submit_each(insert_all, 7) == "row 7"
    assert calls == [[7]]
