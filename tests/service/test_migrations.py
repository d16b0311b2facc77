"""Databases of earlier versions: what they promised holds."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psycopg
import pytest

from qsops.models import Publish
from qsops.sqlite import Database, migrations_in
from service.store import Outgoing, Statement, Store, open_store
from tests.service.test_postgres import effects

#: A claim with its entry, one whose entry nobody has, an event that was not processed, a direct message, and rows of
#: the outbox: an event's, one that a handler sends, and one that is gone.
BEFORE: Sequence[str] = (
    "insert into events (event_id, kind, account, state, received_at_ms, deliveries) "
    "values ('claimed', 'message', '17', 'processed', 1, 1), ('waiting', 'message', '17', 'published', 2, 0)",
    "insert into claims (event_id, claimed_at_ms) values ('claimed', 5), ('alone', 6)",
    "insert into direct_messages (account, mid, event_id, text) values ('17', 'mid-1', 'claimed', 'hello')",
    "insert into outbox (deduplication_id, event_id, path, headers, body, created_at_ms, due_at_ms, conversation) "
    "values ('d-1', 'waiting', '/v2/publish/https://a.example', '[]', bytea '', 1, 1, 'c'), "
    "('d-2', null, '/v2/publish/https://a.example', '[]', bytea '', 1, 1, null), "
    "('d-3', null, '/v2/publish/https://a.example', '[]', bytea '', 1, 1, null)",
    "delete from outbox where deduplication_id = 'd-3'",
)


async def older_sqlite(tmp_path: Path) -> str:
    path = tmp_path / "service.db"
    old = Database(path, migrations_in("service.store.migrations")[:5])
    for statement in BEFORE:
        spelled = statement.replace("bytea ''", "x''")
        old.write(lambda connection, sql=spelled: connection.execute(sql))
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


async def test_what_waited_waits(migrated: Store):
    """Messages keep their numbers, which order them; a follow-up is still there once; no number is given again."""
    follow_ups = [Outgoing(Publish("https://a.example", deduplication_id=f"d-{n}")) for n in (2, 4)]
    await migrated.record([], follow_ups, 1)
    rows = await migrated.take(1, 9, 2)
    assert [(row.row_id, row.event_id) for row in rows] == [(1, "waiting"), (2, None), (rows[2].row_id, None)]
    assert rows[2].row_id > 3
