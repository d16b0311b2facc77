import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from qsops.engine import driver
from qsops.engine import texts as own_texts
from qsops.sqlite import Database
from tests.engine.served.conftest import Hook, Serve

URL = "http://127.0.0.1:1/"


class Fault:
    """A disk that may be full, or a file that may not be written: what SQLite says then."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.refused = 0
        self.was_refused = asyncio.Event()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        submit = Database.submit

        async def faulty(database: Database, operation: Callable[[sqlite3.Connection], Any]) -> Any:
            def fail(_: sqlite3.Connection) -> None:
                error = sqlite3.OperationalError("as asked")
                error.sqlite_errorcode = self.code
                raise error

            if self.code is None:
                return await submit(database, operation)
            self.refused += 1
            self.was_refused.set()
            return await submit(database, fail)

        monkeypatch.setattr(Database, "submit", faulty)


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Fault:
    monkeypatch.setattr(driver, "_STORE_AGAIN_S", 0.05)
    fault = Fault()
    fault.install(monkeypatch)
    return fault


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (sqlite3.SQLITE_FULL, 507, own_texts.DATABASE_FULL),
        (sqlite3.SQLITE_READONLY, 503, own_texts.DATABASE_UNAVAILABLE),
        (sqlite3.SQLITE_READONLY_DBMOVED, 503, own_texts.DATABASE_UNAVAILABLE),
        (sqlite3.SQLITE_BUSY, 503, own_texts.DATABASE_UNAVAILABLE),
        (sqlite3.SQLITE_IOERR_FSYNC, 503, own_texts.DATABASE_UNAVAILABLE),
    ],
)
async def test_what_cannot_be_stored_is_not_accepted(serve: Serve, fault: Fault, code: int, status: int, error: str):
    """507 for a full disk, 503 for anything else; as soon as it can be stored again, it is."""
    async with serve() as running:
        for method, path in (("POST", f"/v2/publish/{URL}"), ("DELETE", "/v2/messages"), ("POST", "/v2/keys/rotate")):
            fault.code = code
            answer = await running.caller.ask(method, path)
            assert (answer.status, answer.error) == (status, error)
            fault.code = None
            assert (await running.caller.ask(method, path)).status == 200


async def test_an_outcome_is_kept_until_it_can_be_stored(serve: Serve, hook: Hook, fault: Fault):
    """A disk that fills up while a delivery is under way costs neither the outcome nor a second delivery."""

    async def fill_up(_: web.Request) -> web.Response:
        fault.code = sqlite3.SQLITE_FULL
        fault.was_refused.clear()
        return web.Response()

    hook.answer = fill_up
    async with serve() as running:
        message_id = await running.caller.publish(hook.url)
        async with asyncio.timeout(10):
            await hook.has(1)
            await fault.was_refused.wait()
        fault.code = None
        await running.reaches(message_id, "DELIVERED")
    assert len(hook.bodies) == 1


async def test_a_full_disk_for_real(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """SQLite's own limit on the file stands in for a full disk: 507, the accepted stays, and room again is enough."""
    databases: list[Database] = []
    opened = Database.__init__

    def keep(database: Database, *args: Any, **kwargs: Any) -> None:
        opened(database, *args, **kwargs)
        databases.append(database)

    monkeypatch.setattr(Database, "__init__", keep)
    async with serve(tmp_path / "engine.db") as running:
        (database,) = databases
        message_id = await running.caller.publish(URL, b"first", delay="1h")
        database.write(lambda connection: connection.execute("pragma max_page_count = 40").fetchone())
        answer = await running.caller.ask("POST", f"/v2/publish/{URL}", b"x" * 1_000_000)
        assert (answer.status, answer.error) == (507, own_texts.DATABASE_FULL)
        assert (await running.caller.ask("GET", f"/v2/messages/{message_id}")).json["body"] == "first"
        database.write(lambda connection: connection.execute("pragma max_page_count = 1000000").fetchone())
        assert (await running.caller.ask("POST", f"/v2/publish/{URL}", b"x" * 1_000_000)).status == 200
