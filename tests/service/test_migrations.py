"""Databases of earlier versions: what they promised holds."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psycopg
import pytest

from qsops.sqlite import Database, migrations_in
from service.store import Statement, Store, open_store
from tests.service.test_postgres import effects

#: A claim with its entry, one whose entry nobody has, an event that was not processed, and a direct message.
BEFORE: Sequence[str] = (
    "insert into events (event_id, kind, account, state, received_at_ms, deliveries) "
    "values ('claimed', 'message', '17', 'processed', 1, 1), ('waiting', 'message', '17', 'published', 2, 0)",
    "insert into claims (event_id, claimed_at_ms) values ('claimed', 5), ('alone', 6)",
    "insert into direct_messages (account, mid, event_id, text) values ('17', 'mid-1', 'claimed', 'hello')",
)


async def older_sqlite(tmp_path: Path) -> str:
    path = tmp_path / "service.db"
    old = Database(path, migrations_in("service.store.migrations")[:5])
    for statement in BEFORE:
        old.write(lambda connection, sql=statement: connection.execute(sql))
    old.close()
    return f"sqlite:///{path}"


async def older_postgres(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        for step in migrations_in("service.store.postgres.migrations")[:2]:
            connection.execute(step)  # type: ignore[arg-type]
        connection.execute("create table qsops_schema (version integer not null)")
        connection.execute("insert into qsops_schema values (2)")
        for statement in BEFORE:
            connection.execute(statement)  # type: ignore[arg-type]
    return url


@pytest.fixture(params=["sqlite", "postgres"])
async def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        url = await older_sqlite(tmp_path)
    else:
        url = await older_postgres(request.getfixturevalue("postgres_url"))
    store = open_store(url)
    yield store
    await store.aclose()


async def test_what_was_claimed_stays_claimed(migrated: Store):
    """An event that an earlier version has processed is a duplicate to this one, with or without its entry."""
    claimed = await asyncio.gather(*(migrated.commit(effects(name), 9) for name in ("claimed", "alone", "waiting")))
    assert claimed == [False, False, True]
    rows = await migrated.fetch(Statement("select event_id, claimed_at_ms as n from claims order by claimed_at_ms"))
    assert [(row["event_id"], row["n"]) for row in rows] == [("claimed", 5), ("alone", 6), ("waiting", 9)]


async def test_what_was_stored_is_still_there(migrated: Store):
    """Tables that are made anew hold what they held."""
    rows = await migrated.fetch(Statement("select account, mid, event_id, text from direct_messages"))
    assert rows == [{"account": "17", "mid": "mid-1", "event_id": "claimed", "text": "hello"}]
