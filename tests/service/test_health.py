import asyncio

from qsops.clock import ManualClock
from qsops.sqlite import Database, migrations_in
from service.health import PATIENCE_S, SLOW
from service.store import SqliteStore, outbox
from tests.service import virtual
from tests.service.rig import close, make_rig


class Hanging(SqliteStore):
    """A database that takes a connection, and never answers."""

    async def ping(self) -> None:
        await asyncio.Event().wait()


def test_a_database_that_hangs_is_not_ready_in_bounded_time():
    """Who asks has a timeout, and is to hear 503 before it; nothing of the process hangs with the database."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock, store=Hanging(":memory:"))
        asking = asyncio.create_task(rig.http.get("/readyz"))
        await virtual.advance(clock, int(PATIENCE_S * 1000) - 1)
        assert not asking.done()
        assert (await rig.http.get("/healthz")).status_code == 200
        await virtual.advance(clock, 1)
        answer = await asking
        assert (answer.status_code, answer.json()) == (503, {"error": SLOW})
        await close(rig)

    virtual.run(main)


async def test_a_full_outbox_is_not_looked_through():
    """An outage of QStash fills the outbox, and probes and scrapes go on: they count by index, not by row."""
    database = Database(":memory:", migrations_in("service.store.migrations"))
    plan = database.read(lambda connection: connection.execute(f"explain query plan {outbox.LAG}").fetchall())
    database.close()
    looks = [detail for *_, detail in plan if "outbox" in detail]
    assert len(looks) == 3
    # The one without an index is for the oldest, and ends at the first row.
    assert [detail for detail in looks if "INDEX" not in detail] == ["SCAN outbox"]
