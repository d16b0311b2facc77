import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from bench.postgres import Cluster, cluster
from service.store import SqliteStore, Store, open_store
from tests.service.rig import Rig, close, make_rig

_numbers = count(1)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = make_rig()
    yield rig
    await close(rig)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL for this run; where there is none, what needs it fails."""
    with cluster() as made:
        yield made


@pytest.fixture
def postgres_url(postgres: Cluster) -> Iterator[str]:
    """A place of its own in the test's database, which nobody has used: a schema is cheaper than a database."""
    schema = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
    yield f"{postgres.url()}?options=-csearch_path%3D{schema}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"drop schema {schema} cascade")


@pytest.fixture(params=["memory", "file", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Every implementation of the port; the next one is one more name here."""
    urls = {"memory": "sqlite:///:memory:", "file": f"sqlite:///{tmp_path / 'service.db'}"}
    store = open_store(urls.get(request.param) or request.getfixturevalue("postgres_url"))
    yield store
    await store.aclose()


@pytest.fixture
def closing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes the stores in memory that a test makes on a loop of its own."""
    made: list[SqliteStore] = []
    begin = SqliteStore.__init__

    def remembered(store: SqliteStore, path: str) -> None:
        begin(store, path)
        made.append(store)

    monkeypatch.setattr(SqliteStore, "__init__", remembered)
    yield
    for store in made:
        asyncio.run(store.aclose())
