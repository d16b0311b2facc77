import asyncio

from qsops.clock import ManualClock
from service.health import PATIENCE_S, SLOW
from service.store import SqliteStore
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
