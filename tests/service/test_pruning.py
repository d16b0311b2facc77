import asyncio
import json
import logging

import pytest

from qsops.clock import ManualClock
from qsops.models import LedgerEntry
from service.errors import StoreUnavailable
from service.internal import RELAY_PATH
from service.pruning import EVERY_S, PORTION, Pruner
from service.store import Effects, SqliteStore, Statement
from tests.service import virtual
from tests.service.rig import Rig

pytestmark = pytest.mark.usefixtures("closing")

RETENTION_S = 40 * 3600
EVERY_MS = int(EVERY_S * 1000)
# Time for the pauses between portions.
PAUSES_MS = 5_000


async def claim(store: SqliteStore, at_ms: int, *event_ids: str) -> None:
    for event_id in event_ids:
        await store.commit(Effects(LedgerEntry(event_id, "message", "1", "processed", at_ms)), at_ms)


async def claims(store: SqliteStore) -> list[str]:
    return [row["event_id"] for row in await store.fetch(Statement("select event_id from claims order by event_id"))]


def test_claims_that_nothing_can_repeat_any_more_go():
    """Now and then, by age, and not a millisecond before QSOPS_CLAIM_RETENTION; the ledger keeps its rows."""

    async def main(clock: ManualClock) -> None:
        store = SqliteStore(":memory:")
        pruner = Pruner(store, clock, RETENTION_S)
        pruner.start()
        await claim(store, clock.now_ms(), "e-old")
        await claim(store, clock.now_ms() + EVERY_MS, "e-new")
        await virtual.advance(clock, RETENTION_S * 1000)
        assert await claims(store) == ["e-new", "e-old"]
        await virtual.advance(clock, EVERY_MS)
        assert await claims(store) == ["e-new"]
        await virtual.advance(clock, EVERY_MS)
        assert await claims(store) == []
        assert len(await store.fetch(Statement("select * from events"))) == 2
        await pruner.aclose()

    virtual.run(main)


class Counting(SqliteStore):
    """A store that keeps how much each portion was, and is away when it is told."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.portions: list[int] = []
        self.is_away = False

    async def prune(self, claimed_before_ms: int, limit: int) -> int:
        if self.is_away:
            raise StoreUnavailable("switched off")
        self.portions.append(await super().prune(claimed_before_ms, limit))
        return self.portions[-1]


def test_many_go_in_portions_with_pauses_between():
    """No transaction is long, and others write between two of them."""

    async def main(clock: ManualClock) -> None:
        store = Counting()
        pruner = Pruner(store, clock, RETENTION_S)
        await claim(store, clock.now_ms(), *(f"e-{number}" for number in range(2 * PORTION + 1)))
        clock.advance(RETENTION_S * 1000 + 1)
        pruner.start()
        await virtual.advance(clock, EVERY_MS)
        # It pauses after the first, however long it has been waited for.
        assert store.portions == [PORTION]
        await virtual.advance(clock, PAUSES_MS)
        assert store.portions == [PORTION, PORTION, 1]
        await pruner.aclose()

    virtual.run(main)


class Slow(Counting):
    """Each portion takes a second."""

    async def prune(self, claimed_before_ms: int, limit: int) -> int:
        await asyncio.sleep(1)
        return await super().prune(claimed_before_ms, limit)


def test_a_slow_database_has_longer_pauses_and_a_go_ends():
    """Others have three quarters of its time, however slow it is; and whoever waits for a go does so within bounds."""

    async def main(clock: ManualClock) -> None:
        store = Slow()
        pruner = Pruner(store, clock, RETENTION_S)
        await claim(store, clock.now_ms(), *(f"e-{number}" for number in range(3 * PORTION)))
        clock.advance(RETENTION_S * 1000 + 1)
        going = asyncio.create_task(pruner.prune(within_s=7))
        await virtual.advance(clock, 4_999)
        assert store.portions == [PORTION]
        await virtual.advance(clock, 1)
        assert store.portions == [PORTION, PORTION]
        assert await going == 2 * PORTION

    virtual.run(main)


def test_a_database_that_is_away_ends_no_pruning(caplog: pytest.LogCaptureFixture):
    """It is a line in the log, and the next round prunes."""

    async def main(clock: ManualClock) -> None:
        store = Counting()
        await claim(store, clock.now_ms(), "e-1")
        clock.advance(RETENTION_S * 1000 + 1)
        pruner = Pruner(store, clock, RETENTION_S)
        pruner.start()
        store.is_away = True
        await virtual.advance(clock, EVERY_MS)
        store.is_away = False
        await virtual.advance(clock, EVERY_MS)
        assert store.portions == [1]
        await pruner.aclose()

    with caplog.at_level(logging.INFO, "service"):
        virtual.run(main)
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "service"]
    assert lines == [{"log": "prune", "error": "switched off"}, {"log": "prune", "deleted": 1}]


async def test_the_relays_route_prunes_too(rig: Rig):
    """Where no loop lives between requests, a schedule calls that route."""
    await rig.deliver(rig.event())
    await rig.internal("POST", RELAY_PATH)
    assert await rig.count("claims") == 1
    rig.clock.advance(rig.service.settings.claim_retention_s * 1000 + 1)
    assert (await rig.internal("POST", RELAY_PATH)).status_code == 200
    assert await rig.count("claims") == 0
