import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from bench.postgres import Cluster
from qsops.errors import Corrupt, SettingsError
from qsops.models import LedgerEntry, Publish
from qsops.sqlite import migrations_in
from service.envelope import Event
from service.errors import StoreUnavailable
from service.processing.conversations import merge
from service.store import Effects, Outgoing, Queued, Sent, SqliteStore, Statement, open_store
from service.store.postgres import PostgresStore, faults, server, transaction
from tests.service.rig import close, make_rig
from tests.service.test_conversations import STORY, TABLES

NOTE = "insert into other_events (event_id, kind, account, occurred_at_ms, payload) values (:id, 'note', '1', 0, 'a')"


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """Two services on one database."""
    pair = PostgresStore(postgres_url), PostgresStore(postgres_url)
    yield pair
    for store in pair:
        await store.aclose()


@pytest.fixture
def one(two: tuple[PostgresStore, PostgresStore]) -> PostgresStore:
    return two[0]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was away is asked again at once."""
    monkeypatch.setattr(server, "LONGEST_WAIT_S", 0.0)


@contextmanager
def stopped(postgres: Cluster) -> Iterator[None]:
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


def effects(name: str) -> Effects:
    return Effects(LedgerEntry(name, "message", "1", "processed", 1, deliveries=1), [Statement(NOTE, {"id": name})])


def message(name: str, conversation: str | None = None) -> Outgoing:
    return Outgoing(Publish("https://a.example", deduplication_id=name), name, conversation=conversation)


async def count(store: PostgresStore, table: str) -> int:
    (row,) = await store.fetch(Statement(f"select count(*) as n from {table}"))
    return int(row["n"])


async def test_a_database_that_is_read_only_is_not_ready(one: PostgresStore, postgres_url: str):
    """A standby answers every question, and takes no event."""
    await one.ping()
    standby = PostgresStore(f"{postgres_url}%20-cdefault_transaction_read_only%3Don")
    with pytest.raises(StoreUnavailable, match="read-only"):
        await standby.ping()
    with pytest.raises(StoreUnavailable, match="read-only"):
        await standby.commit(effects("e-1"), 1)
    assert await one.commit(effects("e-1"), 1)
    await standby.aclose()


async def test_a_limit_for_temporary_files_is_no_full_disk(one: PostgresStore, postgres_url: str):
    """Where the probe may not ask for room, nothing can be said of it."""
    await one.open()
    limited = PostgresStore(f"{postgres_url}%20-ctemp_file_limit%3D1")
    await limited.ping()
    assert await limited.commit(effects("e-1"), 1)
    await limited.aclose()


async def test_of_two_services_one_claims(two: tuple[PostgresStore, PostgresStore]):
    """Deliveries of the same events to two processes, in opposite orders: each is claimed once, its effects are one."""
    names = [f"e-{n:03d}" for n in range(300)]
    halves = [(store, name) for store, order in zip(two, (names, names[::-1]), strict=True) for name in order]
    claimed = await asyncio.gather(*(store.commit(effects(name), 1) for store, name in halves))
    counted = Counter(name for (_, name), is_first in zip(halves, claimed, strict=True) if is_first)
    assert counted == Counter(names)
    assert await count(two[0], "other_events") == 300
    assert await two[1].fetch(Statement("select distinct deliveries from events")) == [{"deliveries": 2}]


async def test_two_relays_never_take_the_same_row(two: tuple[PostgresStore, PostgresStore]):
    """Each row is leased to one of them, each conversation in its order, until the outbox is empty."""
    names = [f"m-{n:03d}" for n in range(200)]
    await two[0].record([], [message(name, f"c-{n % 7}") for n, name in enumerate(names)], 1)
    taken: list[str] = []

    async def relay(store: PostgresStore) -> None:
        while await count(store, "outbox"):
            rows = [row for row in await store.take(1, 9, 50) if isinstance(row, Queued)]
            for row in rows:
                behind = [name for name in taken if int(name[2:]) % 7 == int(str(row.event_id)[2:]) % 7]
                assert not behind or behind[-1] < str(row.event_id)
                taken.append(str(row.event_id))
            await store.settle([(row, Sent("msg")) for row in rows], 2)

    await asyncio.gather(*(relay(store) for store in two))
    assert sorted(taken) == names


async def test_services_that_start_together_migrate_once(postgres_url: str):
    """However many processes begin on an empty database, its schema is made once, and all of them work."""
    stores = [PostgresStore(postgres_url) for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    versions = await stores[0].fetch(Statement("select version from qsops_schema"))
    assert versions == [{"version": len(migrations_in("service.store.postgres.migrations"))}]
    assert all(await asyncio.gather(*(store.commit(effects(f"e-{n}"), 1) for n, store in enumerate(stores))))
    for store in stores:
        await store.aclose()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("create table qsops_schema (version integer); insert into qsops_schema values (99)", "schema version 99"),
        ("create table events (name text)", "other tables of our names"),
    ],
)
async def test_a_database_of_others_is_refused(postgres_url: str, statement: str, told: str):
    """A newer version's, or one with other tables of our names: told in a line, left as it was."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(statement)
    store = PostgresStore(postgres_url)
    with pytest.raises(Corrupt, match=told):
        await store.open()
    with pytest.raises(Corrupt, match=told):
        await store.commit(effects("e"), 1)
    await store.aclose()
    with psycopg.connect(postgres_url) as connection:
        made = connection.execute("select count(*) from pg_tables where schemaname = current_schema()").fetchone()
    assert made == (1,)


async def test_both_databases_have_the_same_tables(one: PostgresStore):
    """A handler's SQL finds the same tables and columns on either."""
    lite = SqliteStore(":memory:")
    of_lite = await lite.fetch(
        Statement(
            "select t.name as t, c.name as c from sqlite_master as t join pragma_table_info(t.name) as c "
            "where t.type in ('table', 'view') and t.name not like 'sqlite%' order by 1, 2"
        )
    )
    of_postgres = await one.fetch(
        Statement(
            "select table_name as t, column_name as c from information_schema.columns "
            "where table_schema = current_schema() and table_name <> 'qsops_schema'"
        )
    )
    await lite.aclose()
    assert sorted(map(str, of_postgres)) == sorted(map(str, of_lite))


@pytest.mark.parametrize("ordered", [STORY, STORY[::-1], [*STORY[::2], *STORY[1::2]], [*STORY[7:], *STORY[:9]]])
async def test_conversations_are_the_same_on_both(one: PostgresStore, ordered: list[Event]):
    """Our handler's statements merge events in any order into the same rows, also within one group."""
    lite = SqliteStore(":memory:")
    for store in (one, lite):
        await asyncio.gather(
            *(
                store.commit(
                    Effects(
                        LedgerEntry(f"{event.id}-{n}", event.kind, "1", "processed", 1), [Statement(*merge(event))]
                    ),
                    1,
                )
                for n, event in enumerate(ordered)
            )
        )
    for table in TABLES:
        query = Statement(f"select * from {table} order by 1, 2, 3")
        assert await one.fetch(query) == await lite.fetch(query)
    await lite.aclose()


async def test_a_server_that_is_stopped_is_away_and_comes_back(postgres: Cluster, one: PostgresStore, impatient: None):
    """Each verb says that the database is away, at once; the same store works when the server does."""
    assert await one.commit(effects("e-1"), 1)
    assert await count(one, "claims") == 1
    with stopped(postgres):
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await one.commit(effects("e-2"), 1)
            with pytest.raises(StoreUnavailable):
                await count(one, "claims")
            with pytest.raises(StoreUnavailable):
                await one.take(1, 1, 2)
            with pytest.raises(StoreUnavailable):
                await one.ping()
    await one.ping()
    assert await one.commit(effects("e-2"), 1)
    assert await count(one, "claims") == 2


async def test_what_was_idle_through_a_restart_is_not_used(postgres: Cluster, one: PostgresStore):
    """Connections that the server has closed meanwhile are made anew: nobody is told of them."""
    assert await one.commit(effects("e-1"), 1)
    assert await count(one, "claims") == 1
    with stopped(postgres):
        pass
    assert await one.commit(effects("e-2"), 1)
    assert await count(one, "claims") == 2


async def test_a_service_can_start_before_its_database(postgres: Cluster, postgres_url: str, impatient: None):
    """Opening fails, nothing ends; the first verb after the server is there opens it."""
    store = PostgresStore(postgres_url)
    with stopped(postgres), pytest.raises(StoreUnavailable):
        await store.open()
    assert await store.commit(effects("e-1"), 1)
    await store.aclose()


async def test_a_server_that_was_away_is_not_asked_at_each_event(
    postgres: Cluster, one: PostgresStore, monkeypatch: pytest.MonkeyPatch
):
    """While it is away, it is tried now and then, however many events come."""
    monkeypatch.setattr(server, "FIRST_WAIT_S", 600.0)
    monkeypatch.setattr(server, "LONGEST_WAIT_S", 600.0)
    tried = []
    connect = server.Server._connect

    async def counted(self: server.Server) -> server.Connection:
        tried.append(self)
        return await connect(self)

    monkeypatch.setattr(server.Server, "_connect", counted)
    with stopped(postgres):
        for _ in range(20):
            with pytest.raises(StoreUnavailable):
                await one.commit(effects("e-1"), 1)
    assert len(tried) == 1


async def test_a_crash_of_the_server_leaves_all_or_nothing(postgres: Cluster, one: PostgresStore, impatient: None):
    """Whatever was told to be away is committed again, and in the end each event was processed once."""
    await one.open()
    names = [f"e-{n:04d}" for n in range(600)]
    work = asyncio.gather(*(one.commit(effects(name), 1) for name in names), return_exceptions=True)
    for _ in range(40):
        await asyncio.sleep(0)
    postgres.kill()
    first = await work
    postgres.start()
    assert {type(result) for result in first} <= {bool, StoreUnavailable}
    again = [name for name, result in zip(names, first, strict=True) if isinstance(result, StoreUnavailable)]
    await asyncio.gather(*(one.commit(effects(name), 1) for name in again))
    for table in ("claims", "other_events", "events"):
        assert await count(one, table) == 600


async def test_a_statement_that_takes_too_long_is_ended(one: PostgresStore, monkeypatch: pytest.MonkeyPatch):
    """The server gives it up, and the connection is good for the next one."""
    monkeypatch.setitem(transaction.LIMITS, "statement_timeout", 50)
    with pytest.raises(StoreUnavailable, match="timeout"):
        await one.fetch(Statement("select pg_sleep(60)"))
    slow = Effects(effects("e-1").entry, [Statement("select pg_sleep(60)")])
    with pytest.raises(StoreUnavailable, match="timeout"):
        await one.commit(slow, 1)
    assert await one.commit(effects("e-1"), 1)


async def test_an_erasure_may_take_its_time(one: PostgresStore, monkeypatch: pytest.MonkeyPatch):
    """Every table is searched for a person: what ends a delivery's statement does not end that."""
    await one.commit(effects("e-1"), 1)
    async with one._others.line() as connection:
        await connection.execute(
            "create function slowly() returns trigger language plpgsql as "
            "$$ begin perform pg_sleep(0.2); return old; end $$; "
            "create trigger slowly before delete on reads for each row execute function slowly(); "
            "insert into reads values ('1', 'somebody', 'm', 'r', 1)",
            prepare=False,
        )
    monkeypatch.setitem(transaction.LIMITS, "statement_timeout", 50)
    assert (await one.erase("somebody", dry_run=True))["reads"] == 1
    assert (await one.erase("somebody", dry_run=False))["reads"] == 1


async def test_a_server_that_falls_silent_holds_up_nobody(one: PostgresStore, monkeypatch: pytest.MonkeyPatch):
    """Frozen, or behind a network that is gone: the verb ends all the same, and the next has a new connection."""
    (row,) = await one.fetch(Statement("select pg_backend_pid() as pid"))
    os.kill(row["pid"], signal.SIGSTOP)
    try:
        monkeypatch.setattr(faults, "VERB_WITHIN_S", 0.1)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await count(one, "claims")
        monkeypatch.undo()
        assert await count(one, "claims") == 0
    finally:
        os.kill(row["pid"], signal.SIGCONT)


async def test_a_schema_that_changes_under_a_running_service_is_followed(one: PostgresStore):
    """While a newer version migrates beside it, a prepared plan that no longer fits is no fault of a handler."""
    query = Statement("select * from reads")
    for _ in range(8):
        assert await one.fetch(query) == []
    with psycopg.connect(one._server._url, autocommit=True) as connection:
        connection.execute("alter table reads add column more text")
    with pytest.raises(StoreUnavailable):
        await one.fetch(query)
    assert await one.fetch(query) == []


async def test_a_pooler_that_mixes_up_prepared_statements_is_noticed(one: PostgresStore):
    """Behind one that lends a session to others, what was prepared is gone: from then on nothing is prepared."""
    assert all([await one.commit(effects(f"e-{n}"), 1) for n in range(5)])
    async with one._writer._lines.line() as connection:
        await connection.execute("do $$ begin execute 'deallocate all'; end $$")
    assert one._server.prepares
    with pytest.raises(StoreUnavailable, match="prepared"):
        await one.commit(effects("f"), 1)
    assert not one._server.prepares
    assert all([await one.commit(effects(f"f-{n}"), 1) for n in range(5)])


async def test_a_pooler_is_told_from_a_server(one: PostgresStore, monkeypatch: pytest.MonkeyPatch):
    """Who answers with another process than the server's is a pooler, which is trusted with nothing prepared."""
    async with one._others.line() as connection:
        await one._server.look_for_pooler(connection)
        assert one._server.prepares
        monkeypatch.setattr(type(connection.info), "backend_pid", 0)
        await one._server.look_for_pooler(connection)
        assert (one._server.prepares, connection.prepare_threshold) == (False, None)


async def test_reading_cannot_write(one: PostgresStore):
    """What a handler writes goes through its transaction, with the claim; past it nothing does."""
    await one.commit(effects("e-1"), 1)
    with pytest.raises(Exception, match="read-only"):
        await one.fetch(Statement("delete from claims returning 1"))
    assert await count(one, "claims") == 1


async def test_errors_keep_the_password_to_themselves(postgres: Cluster):
    """A database that is not there is named by its host and name, and by nothing that opens it."""
    store = PostgresStore(postgres.url("nowhere").replace("qsops@", "qsops:canary@"))
    with pytest.raises(StoreUnavailable, match="/nowhere is away") as raised:
        await store.ping()
    assert "canary" not in str(raised.value)
    await store.aclose()
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        open_store("postgresql://u:canary@host/x?nonsense=1")
    assert "canary" not in str(refused.value)


async def test_the_service_runs_on_postgresql(postgres: Cluster, postgres_url: str, impatient: None):
    """Received, published, delivered twice, processed once; and while the database is away, everybody comes again."""
    rig = make_rig(database_url=postgres_url)
    assert (await rig.post_sample("message")).json() == {"accepted": 1, "duplicates": 0, "queued": 0}
    (published,) = rig.qstash.published
    answers = [(await rig.deliver(published.body)).json()["status"] for _ in range(2)]
    assert answers == ["processed", "duplicate"]
    assert (await rig.post_sample("message")).json() == {"accepted": 0, "duplicates": 1, "queued": 0}
    assert [(entry.state, entry.deliveries) for entry in await rig.ledger()] == [("processed", 2)]
    assert await rig.count("direct_messages") == 1
    assert (await rig.http.get("/readyz")).status_code == 200
    with stopped(postgres):
        assert (await rig.post_sample("message", "mid-2")).status_code == 503
        assert (await rig.deliver(rig.event(mid="mid-2"))).status_code == 503
        assert (await rig.http.get("/readyz")).status_code == 503
    assert (await rig.deliver(rig.event(mid="mid-2"))).json()["status"] == "processed"
    assert (await rig.http.get("/readyz")).status_code == 200
    await close(rig)
