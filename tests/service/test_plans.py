"""What is asked again and again finds its rows by an index, however large the tables have grown."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from service.store import SqliteStore, Statement, claims, failures, outbox, parked
from service.store.postgres import PostgresStore
from service.store.postgres.named import numbered
from service.store.postgres.store import LOCKED
from service.store.steps import Steps
from service.store.verbs import Verbs

LATER_MS: Final = 10**12
#: So many events, a third of them claimed; callbacks and rows of the outbox, of which a tenth is parked.
COUNT: Final = 10_000
_FILL: Final = (
    "insert into events (event_id, kind, account, state, received_at_ms, claimed_at_ms) "
    "select 'e-' || n, 'message', '1', 'processed', n, case when n % 3 = 0 then n end from numbers",
    "insert into callbacks (message_id, retried, outcome, event_id, status, reported_at_ms) "
    "select 'msg_' || n, 0, 'failure', 'e-' || n, 500, n from numbers",
    "insert into outbox (deduplication_id, event_id, path, headers, body, created_at_ms, due_at_ms, conversation, "
    "reason) select 'd-' || n, 'e-' || n, '/v2/publish/https://a.example', '[]', cast('{}' as {bytes}), n, "
    "case when n % 10 <> 0 then n end, 'c-' || (n / 3), 'rejected: a' from numbers",
)
Plans = Callable[[Statement], list[str]]


def asked(steps: Steps[Any]) -> Iterator[Statement]:
    """What ``steps`` ask for where nothing is found."""
    try:
        step = next(steps)
        while True:
            assert isinstance(step, Statement)
            yield step
            step = steps.send(())
    except StopIteration:
        pass


def pruning(store: type[Verbs]) -> list[Statement]:
    return list(asked(claims.prune(LATER_MS, 200, store.rows)))


def others(**relay: str) -> list[Statement]:
    """Of the relay, the health check, the metrics and the alerts."""
    return [
        next(asked(outbox.lag())),
        next(asked(outbox.backlog())),
        next(asked(outbox.take(LATER_MS, 100, LATER_MS + 1, 0, everything=False, **relay))),
        parked.find(),
        failures.untold(LATER_MS, LATER_MS + 1, LATER_MS, 10),
    ]


@pytest.fixture
async def postgres_plans(postgres_url: str) -> Any:
    """A connection, and what PostgreSQL would do: for a statement's own values, and for any."""
    store = PostgresStore(postgres_url)
    await store.open()
    await store.aclose()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.prepare_threshold = None
        for table in ("events", "callbacks", "outbox"):
            # Statistics are there when the test says so.
            connection.execute(f"alter table {table} set (autovacuum_enabled = off)")  # type: ignore[arg-type]
        for sql in _FILL:
            spelled = f"with numbers as (select generate_series(1, {COUNT}) as n) {sql.replace('{bytes}', 'bytea')}"
            connection.execute(spelled)  # type: ignore[arg-type]

        def explained(statement: Statement) -> list[str]:
            translated = numbered(statement.sql)
            values = ", ".join(str(value) for value in translated.values(statement.parameters))
            lines: list[str] = []
            for mode in ("force_custom_plan", "force_generic_plan"):
                connection.execute(f"set plan_cache_mode = {mode}")  # type: ignore[arg-type]
                connection.execute(f"prepare asked as {translated.sql}")  # type: ignore[arg-type]
                plan = connection.execute(f"explain execute asked{f'({values})' if values else ''}")  # type: ignore[arg-type]
                lines += [line for (line,) in plan.fetchall()]
                connection.execute("deallocate asked")
            return lines

        yield connection, explained


@pytest.fixture
async def sqlite_plans(tmp_path: Path) -> Any:
    """Reads what SQLite would do."""
    path = tmp_path / "service.db"
    store = SqliteStore(path)
    await store.open()
    await store.aclose()
    connection = sqlite3.connect(path)
    numbers = f"with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < {COUNT})"
    for sql in _FILL:
        connection.execute(f"{numbers} {sql.replace('{bytes}', 'blob')}")
    yield lambda statement: [
        row[3] for row in connection.execute(f"explain query plan {statement.sql}", dict(statement.parameters))
    ]
    connection.close()


def whole(lines: list[str]) -> list[str]:
    """Those that look through a table which grows, on PostgreSQL."""
    tables = ("events", "callbacks", "outbox")
    return [line for line in lines if any(f"Seq Scan on {table}" in line for table in tables)]


async def test_pruning_goes_to_its_rows_on_postgres(postgres_plans: tuple[Any, Plans]):
    """A portion costs what it deletes, not what there is: before statistics are gathered, and after."""
    connection, explained = postgres_plans
    found = [whole(explained(statement)) for statement in pruning(PostgresStore)]
    connection.execute("vacuum analyze")
    found += [whole(explained(statement)) for statement in pruning(PostgresStore)]
    assert found == [[]] * 4


async def test_pruning_goes_to_its_rows_on_sqlite(sqlite_plans: Plans):
    """A portion costs what it deletes, not what there is."""
    steps = [sqlite_plans(statement) for statement in pruning(SqliteStore)]
    assert len(steps) == 2
    assert [line for lines in steps for line in lines if line.startswith("SCAN")] == []


async def test_what_is_asked_periodically_goes_by_an_index_on_postgres(postgres_plans: tuple[Any, Plans]):
    """The outbox's depth and age, which rows are next, what is parked and what has passed."""
    connection, explained = postgres_plans
    connection.execute("vacuum analyze")
    assert [whole(explained(statement)) for statement in others(these=LOCKED)] == [[]] * 5


async def test_what_is_asked_periodically_goes_by_an_index_on_sqlite(sqlite_plans: Plans):
    """As on PostgreSQL; the oldest that waits is the first in the order of the table itself."""
    grown = ("SCAN events", "SCAN callbacks", "SCAN outbox", "SCAN mine")
    steps = [sqlite_plans(statement) for statement in others()]
    scans = [[line for line in lines if line in grown] for lines in steps]
    assert scans == [["SCAN outbox"], ["SCAN outbox"], [], [], []]
