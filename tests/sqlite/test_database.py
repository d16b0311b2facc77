import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from qsops.errors import Corrupt
from qsops.sqlite import Database, Kind
from qsops.sqlite.migrations import refuse_others
from qsops.sqlite.transactions import into_wal

SCHEMA = ["create table note (id integer primary key, text text unique);"]


@pytest.fixture(params=["file", "memory"])
def database(request: pytest.FixtureRequest, tmp_path: Path):
    path = tmp_path / "folder" / "notes.db" if request.param == "file" else ":memory:"
    database = Database(path, SCHEMA)
    yield database
    database.close()


def add(text: str):
    return lambda connection: connection.execute("insert into note (text) values (?)", (text,)).lastrowid


def texts(connection: sqlite3.Connection) -> list[str]:
    return [text for (text,) in connection.execute("select text from note order by id")]


def test_write_is_undone_by_an_exception(database: Database):
    """A transaction that raises leaves nothing behind."""

    def add_and_fail(connection: sqlite3.Connection) -> None:
        add("lost")(connection)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.write(add_and_fail)
    assert database.read(texts) == []


async def test_submitted_operations_all_commit(database: Database):
    """Whatever was submitted has its own result once it returns, and is there."""
    ids = await asyncio.gather(*(database.submit(add(f"n{i}")) for i in range(1_200)))
    assert sorted(ids) == list(range(1, 1_201))
    assert len(database.read(texts)) == 1_200


class Held:
    """Holds the next commit of ``database``, which runs on a thread, until it is let go; ``commits`` counts them."""

    def __init__(self, database: Database) -> None:
        self.commits = -1  # that of the line below
        self._begun, self._let_go = threading.Event(), threading.Event()
        database.write(lambda connection: connection.set_trace_callback(self._traced))

    async def begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 60)

    def let_go(self) -> None:
        self._let_go.set()

    def _traced(self, sql: str) -> None:
        if sql == "commit":
            self.commits += 1
            if self.commits:
                self._begun.set()
                self._let_go.wait(10)


async def test_operations_that_wait_together_share_a_commit(tmp_path: Path):
    """Operations that arrive while a commit runs are committed as one group, and the loop goes on meanwhile."""
    database = Database(tmp_path / "notes.db", SCHEMA)
    held = Held(database)
    first = asyncio.ensure_future(database.submit(add("first")))
    await held.begun()
    others = [asyncio.ensure_future(database.submit(add(f"n{i}"))) for i in range(50)]
    await asyncio.sleep(0)
    assert not first.done()
    held.let_go()
    await asyncio.gather(first, *others)
    database.close()
    assert held.commits == 2  # the first, the fifty


async def test_a_failing_operation_fails_alone(database: Database):
    """An operation that raises is undone alone; the others of its group stand."""
    results = await asyncio.gather(
        *(database.submit(add(text)) for text in ["a", "b", "a", "c"]), return_exceptions=True
    )
    assert [isinstance(result, sqlite3.IntegrityError) for result in results] == [False, False, True, False]
    assert database.read(texts) == ["a", "b", "c"]


async def test_a_full_disk_fails_the_whole_group(tmp_path: Path):
    """When SQLite gives the transaction up, nobody of the group is told that it was stored."""
    database = Database(tmp_path / "notes.db", SCHEMA)
    database.write(lambda connection: connection.execute("pragma max_page_count = 6"))
    big = ["x" * 2_000 + str(i) for i in range(40)]
    results = await asyncio.gather(*(database.submit(add(text)) for text in big), return_exceptions=True)
    stored = database.read(texts)
    assert any(isinstance(result, sqlite3.OperationalError) for result in results)
    assert stored == [text for text, result in zip(big, results, strict=True) if isinstance(result, int)]
    database.close()


def test_readers_do_not_wait_for_a_writer(tmp_path: Path):
    """A read during a write sees what was committed before."""
    database = Database(tmp_path / "notes.db", SCHEMA)

    def read_meanwhile(connection: sqlite3.Connection) -> list[str]:
        add("new")(connection)
        return database.read(texts)

    assert database.write(read_meanwhile) == []
    assert database.read(texts) == ["new"]
    database.close()


def test_what_was_written_survives_reopening(tmp_path: Path):
    """A committed row is there when the file is opened again, and migrations run once only."""
    for text in ("a", "b"):
        database = Database(tmp_path / "notes.db", SCHEMA)
        database.write(add(text))
        database.close()
    database = Database(tmp_path / "notes.db", [*SCHEMA, "alter table note add column seen integer default 0;"])
    assert database.read(lambda connection: connection.execute("select text, seen from note").fetchall()) == [
        ("a", 0),
        ("b", 0),
    ]
    database.close()


def test_full_synchronous_is_the_default(tmp_path: Path):
    """A commit is on disk before it returns: synchronous=FULL, journal WAL."""
    database = Database(tmp_path / "notes.db", SCHEMA)
    assert database.write(lambda connection: connection.execute("pragma synchronous").fetchone()) == (2,)
    assert database.write(lambda connection: connection.execute("pragma journal_mode").fetchone()) == ("wal",)
    database.close()


def test_a_newer_file_is_refused(tmp_path: Path):
    """A file of a newer version is named and left alone."""
    Database(tmp_path / "notes.db", [*SCHEMA, "create table later (id integer);"]).close()
    with pytest.raises(Corrupt, match=r"notes\.db has schema version 2, this qsops knows up to 1"):
        Database(tmp_path / "notes.db", SCHEMA)


def test_another_file_is_refused(tmp_path: Path):
    """A file that is no database is named and left alone."""
    (tmp_path / "notes.db").write_bytes(b"these are not the pages you are looking for" * 40)
    with pytest.raises(Corrupt, match="is not a SQLite database"):
        Database(tmp_path / "notes.db", SCHEMA)
    assert (tmp_path / "notes.db").read_bytes().startswith(b"these are not")


def test_a_failing_migration_leaves_the_file_as_it_was(tmp_path: Path):
    """Migrations are one transaction: all steps or none."""
    Database(tmp_path / "notes.db", SCHEMA).close()
    with pytest.raises(sqlite3.OperationalError):
        Database(tmp_path / "notes.db", [*SCHEMA, "create table b (id);\ncreate table b (id);"])
    database = Database(tmp_path / "notes.db", SCHEMA)
    assert database.read(lambda connection: connection.execute("pragma user_version").fetchone()) == (1,)
    database.close()


async def test_another_writer_does_not_hold_up_the_loop(tmp_path: Path):
    """While another process writes, a group waits on its thread: the loop goes on, and nothing is lost."""
    database = Database(tmp_path / "a.db", SCHEMA)
    holder = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    holder.execute("begin immediate")
    waiting = asyncio.ensure_future(database.submit(add("a")))
    for _ in range(100):  # each turn would take the busy timeout of seconds, if the loop waited
        await asyncio.sleep(0)
    assert not waiting.done()
    holder.execute("rollback")
    holder.close()
    async with asyncio.timeout(10):
        await waiting
    assert database.read(texts) == ["a"]
    database.close()


def test_a_connection_tells_how_it_commits(database: Database):
    """What a benchmark prints of the commits is read back from the very connection that makes them."""
    assert database.pragma("synchronous") == 2


async def test_a_cancelled_waiter_does_not_stop_the_group(database: Database):
    """Whoever stops waiting changes nothing for the others."""
    waiter = asyncio.ensure_future(database.submit(add("a")))
    await asyncio.sleep(0)
    waiter.cancel()
    await database.submit(add("b"))
    assert database.read(texts)[-1] == "b"
    await asyncio.gather(waiter, return_exceptions=True)


def test_a_loop_that_ends_amid_a_commit_holds_up_no_other(tmp_path: Path):
    """An operation whose loop was closed meanwhile is committed, and the next loop is served."""
    database = Database(tmp_path / "notes.db", SCHEMA)
    held = Held(database)

    async def give_up() -> None:
        waiting = asyncio.ensure_future(database.submit(add("slow")))
        await held.begun()
        waiting.cancel()

    asyncio.run(give_up())
    held.let_go()
    asyncio.run(asyncio.wait_for(database.submit(add("next")), 60))
    assert database.read(texts) == ["slow", "next"]
    database.close()


def test_a_loop_that_ends_before_its_group_holds_up_no_other(database: Database):
    """What waits on a loop that is gone is done by the next one that something is submitted on."""
    loop = asyncio.new_event_loop()
    submitted = database.submit(add("slow"))

    def submit_and_stop() -> None:
        submitted.send(None)
        loop.stop()

    loop.call_soon(submit_and_stop)
    loop.run_forever()
    loop.close()
    asyncio.run(asyncio.wait_for(database.submit(add("next")), 60))
    assert database.read(texts) == ["slow", "next"]
    submitted.close()


KIND = Kind("notes", 0x6E6F7465, "note")


def test_a_database_says_whose_it_is(tmp_path: Path):
    """One that was made before it said so is taken for ours by its table, and says so from then on."""
    Database(tmp_path / "notes.db", SCHEMA).close()
    database = Database(tmp_path / "notes.db", SCHEMA, KIND)
    assert database.pragma("application_id") == KIND.application_id
    database.close()
    with pytest.raises(Corrupt, match="of something else than others; name another file"):
        Database(tmp_path / "notes.db", SCHEMA, Kind("others", 7, "note"))


@pytest.mark.parametrize("version", [0, 1, 9])
def test_a_strangers_database_is_left_as_it_is(tmp_path: Path, version: int):
    """Whatever its version says, nothing is written into what is not ours."""
    path = tmp_path / "users.db"
    stranger = sqlite3.connect(path)
    stranger.executescript(f"create table users (id integer); pragma user_version = {version};")
    stranger.close()
    before = path.read_bytes()
    with pytest.raises(Corrupt, match="is a database of something else"):
        Database(path, SCHEMA, KIND)
    assert path.read_bytes() == before


def traced(connection: sqlite3.Connection, sql: str, act: Callable[[], None]) -> None:
    """Call ``act`` whenever ``connection`` begins to run ``sql``."""
    connection.set_trace_callback(lambda begun: act() if begun == sql else None)


def test_a_database_that_is_being_made_is_no_strangers(tmp_path: Path):
    """Processes that start together: one looks whose file it is while another makes it ours, and is not confused."""
    path = tmp_path / "notes.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as looking:
        into_wal(looking)
        traced(
            looking, "select name from sqlite_master where type = 'table'", lambda: Database(path, SCHEMA, KIND).close()
        )
        refuse_others(looking, str(path), KIND)
        looking.set_trace_callback(None)
        refuse_others(looking, str(path), KIND)
        assert looking.execute("select count(*) from note").fetchone() == (0,)


def test_a_new_file_that_another_process_holds_is_waited_for(tmp_path: Path):
    """Only one may give it a write-ahead log, and SQLite itself would refuse the others at once."""
    path = tmp_path / "notes.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as holding,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as opening,
    ):
        holding.execute("begin exclusive")
        letting_go = threading.Timer(0.1, holding.execute, ["rollback"])
        letting_go.start()
        into_wal(opening)
        letting_go.join()
        assert opening.execute("pragma journal_mode").fetchone() == ("wal",)
