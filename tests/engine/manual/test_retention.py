from pathlib import Path

import pytest

from qsops.clock import ManualClock
from qsops.engine.embedded import Embedded
from tests.engine.caller import Caller

DAY_MS = 86_400_000
FINE = "https://fine.test/"
DEAD = "https://dead.test/"


@pytest.fixture
async def settled(engine: Embedded, caller: Caller) -> dict[str, str]:
    """One delivered message, one dead letter, and one that waits for a year."""
    engine.receiver(FINE, "200")
    engine.receiver(DEAD, "500")
    ids = {
        "fine": await caller.publish(FINE, label="old"),
        "dead": await caller.publish(DEAD, retries=0),
        "waits": await caller.publish(FINE, delay="365d", label="waiting"),
    }
    await engine.advance(1_000)
    return ids


async def touch(engine: Embedded, caller: Caller, times: int = 3) -> None:
    """What is old is cleared away by what is new."""
    for _ in range(times):
        await caller.publish(FINE, label="new")
        await engine.advance(1_000)


async def test_a_finished_message_is_forgotten_with_its_log(engine: Embedded, caller: Caller, settled: dict):
    """Pay as you go keeps the log for 14 days, and no longer."""
    await engine.advance(14 * DAY_MS - 10_000)
    await touch(engine, caller)
    assert await caller.states(settled["fine"]) == ["CREATED", "ACTIVE", "DELIVERED"]
    await engine.advance(20_000)
    await touch(engine, caller)
    assert await caller.logs(messageId=settled["fine"]) == []
    assert await caller.logs(label="old") == []


async def test_an_idle_engine_forgets_as_well(engine: Embedded, caller: Caller, settled: dict):
    """What has had its time goes within a minute of it, though nothing else happens: messages, and dead letters."""
    await engine.advance(7 * DAY_MS - 10_000)
    assert len(await caller.dead_letters()) == 1
    await engine.advance(70_000)
    assert await caller.dead_letters() == []
    assert len(await caller.logs(messageId=settled["fine"])) == 3
    await engine.advance(7 * DAY_MS)
    assert await caller.logs(label="old") == []


async def test_what_was_taken_back_is_forgotten_as_well(engine: Embedded, caller: Caller):
    """An engine on which messages are only cancelled does not fill up."""
    taken = await caller.publish(FINE, delay="1h")
    await caller.ask("DELETE", f"/v2/messages/{taken}")
    await engine.advance(3_600_000)
    assert (await caller.states(taken))[-1] == "CANCELED"
    await engine.advance(14 * DAY_MS + 70_000)
    assert await caller.logs() == []


async def test_a_pending_message_is_kept(engine: Embedded, caller: Caller, settled: dict):
    """However old, what was not delivered yet is neither forgotten nor hidden."""
    await engine.advance(100 * DAY_MS)
    await touch(engine, caller)
    assert await caller.states(settled["waits"]) == ["CREATED"]
    await engine.advance(265 * DAY_MS)
    assert (await caller.states(settled["waits"]))[-1] == "DELIVERED"


async def test_a_dead_letter_is_forgotten_before_its_log(engine: Embedded, caller: Caller, settled: dict):
    """The dead letter queue of the plan keeps for 7 days, its log for 14."""
    await engine.advance(7 * DAY_MS - 10_000)
    await touch(engine, caller)
    assert [letter["messageId"] for letter in await caller.dead_letters()] == [settled["dead"]]
    await engine.advance(20_000)
    await touch(engine, caller)
    assert await caller.dead_letters() == []
    assert "FAILED" in await caller.states(settled["dead"])


async def test_nothing_of_it_is_left_in_the_database(clock: ManualClock, tmp_path: Path):
    """What was forgotten takes no room: neither its rows nor those that its traits had of their own."""
    engine = Embedded(clock=clock, db=tmp_path / "engine.db")
    caller = Caller(engine.send)
    engine.receiver(FINE, "200")
    for number in range(30):
        await caller.publish(f"{FINE}{number}", label=f"order-{number}")
    await engine.advance(15 * DAY_MS)
    await touch(engine, caller, times=20)
    tables = ("messages", "progress", "traits", "trait_labels")
    (counts,) = engine._engine.database.read(
        lambda connection: connection.execute(
            "select " + ", ".join(f"(select count(*) from {table})" for table in tables)
        ).fetchall()
    )
    assert dict(zip(tables, counts, strict=True)) == {"messages": 20, "progress": 20, "traits": 1, "trait_labels": 1}
    await engine.aclose()
