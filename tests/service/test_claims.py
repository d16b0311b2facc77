"""Claim and effect: committed together or not at all, once, whatever dies in between."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.errors import StoreUnavailable
from service.processing import Event, Transaction
from service.publishing import CONSUMER_PATH
from service.store import Effects, SqliteStore
from tests.service.handlers import NOTE, note
from tests.service.rig import Rig, close, make_rig

HERE = "tests.service.test_claims"
ran: list[str] = []


async def three_effects(event: Event, tx: Transaction) -> None:
    """Two rows and a message; in an order, since the second changes the first."""
    ran.append(event.id)
    await asyncio.sleep(0)
    tx.execute(NOTE, note(event, "first"))
    tx.execute("update other_events set payload = payload || ', second' where event_id = :id", {"id": event.id})
    tx.publish("https://elsewhere.example/a", json={"id": event.id})


async def some_broken(event: Event, tx: Transaction) -> None:
    tx.execute(NOTE, note(event, "first"))
    if event.payload["message"]["mid"] in ("m-1", "m-3"):
        tx.execute("insert into other_events (event_id) values (:id)", {"id": f"{event.id}-2"})


async def asking(event: Event, tx: Transaction) -> None:
    """A statement that no batch takes."""
    tx.execute("select count(*) from claims")
    tx.execute(NOTE, note(event, "first"))


def left_by(path: Path, event_id: str) -> tuple[int, ...]:
    """How many rows of each sort a database holds of an event, after whatever recovery it needs."""
    queries = (
        "select count(*) from claims where event_id = ?",
        "select count(*) from events where event_id = ? and state = 'processed'",
        "select count(*) from other_events where event_id = ? and payload = 'first, second'",
        "select count(*) from outbox where body like '%' || ? || '%'",
    )
    with closing(sqlite3.connect(path)) as connection:
        return tuple(connection.execute(sql, (event_id,)).fetchone()[0] for sql in queries)


async def test_a_crash_between_any_two_statements_leaves_all_or_nothing(tmp_path: Path):
    """A copy of the files at each statement is what a kill -9 there leaves; redelivered to it, all is there once."""
    store = SqliteStore(tmp_path / "service.db")
    await store.open()
    rig = make_rig(store=store, qsops_handler=f"{HERE}:three_effects")
    event, images = rig.event(), []

    def crash(statement: str) -> None:
        image = tmp_path / f"crash-{len(images)}"
        image.mkdir()
        for name in ("service.db", "service.db-wal"):
            if (tmp_path / name).exists():
                shutil.copy(tmp_path / name, image / name)
        images.append((image, statement))

    assert store._database is not None
    store._database._writer.set_trace_callback(crash)
    assert (await rig.deliver(event)).status_code == 200
    store._database._writer.set_trace_callback(None)
    await close(rig)
    found = [left_by(image / "service.db", event.id) for image, _ in images]
    assert set(found) <= {(0, 0, 0, 0), (1, 1, 1, 1)}
    assert len(images) > 6, [statement for _, statement in images]
    assert found[0] == (0, 0, 0, 0)
    for image, _ in images:
        again = make_rig(store=SqliteStore(image / "service.db"), qsops_handler=f"{HERE}:three_effects")
        assert (await again.deliver(event, retried=1)).status_code == 200
        assert await again.count("claims") == await again.count("other_events") == 1
        await close(again)


class Dying(SqliteStore):
    """A store that goes away just before its commit, or just behind it."""

    def __init__(self, when: str) -> None:
        super().__init__(":memory:")
        self._when = when

    async def commit(self, effects: Effects, now_ms: int) -> bool:
        when, self._when = self._when, ""
        if when == "before":
            raise StoreUnavailable("gone")
        claimed = await super().commit(effects, now_ms)
        if when == "behind":
            raise StoreUnavailable("gone")
        return claimed


@pytest.mark.parametrize(("when", "status"), [("before", "processed"), ("behind", "duplicate")])
async def test_a_commit_whose_end_nobody_heard_of_is_asked_for_again(when: str, status: str):
    """503 may have been 200: the next attempt finds out by the claim, and the effect is there once."""
    rig = make_rig(store=Dying(when), qsops_handler=f"{HERE}:three_effects")
    assert (await rig.deliver(rig.event())).status_code == 503
    assert (await rig.deliver(rig.event(), retried=1)).json() == {"status": status}
    assert (await rig.count("claims"), await rig.count("other_events")) == (1, 1)
    await close(rig)


async def test_deliveries_at_once_run_and_commit_once():
    """Of two deliveries of one event both run the handler; what one of them collected is committed, all of it."""
    ran.clear()
    rig = make_rig(qsops_handler=f"{HERE}:three_effects")
    event = rig.event()
    answers = await asyncio.gather(rig.deliver(event), rig.deliver(event), rig.deliver(rig.event(mid="m-2")))
    assert sorted(answer.json()["status"] for answer in answers) == ["duplicate", "processed", "processed"]
    assert ran.count(event.id) == 2
    assert [row["payload"] for row in await rig.rows("select payload from other_events")] == ["first, second"] * 2
    (entry,) = await rig.ledger(event_id=event.id)
    assert (entry.state, entry.deliveries) == ("processed", 2)
    await close(rig)


@pytest.mark.parametrize("on_disk", [False, True])
async def test_a_broken_statement_spoils_no_neighbour(tmp_path: Path, on_disk: bool):
    """Of a group that commits together only the events at fault are undone, wholly, and answered 500."""
    store = SqliteStore(tmp_path / "service.db" if on_disk else ":memory:")
    rig = make_rig(store=store, qsops_handler=f"{HERE}:some_broken")
    answers = await asyncio.gather(*(rig.deliver(rig.event(mid=f"m-{number}")) for number in range(5)))
    assert [answer.status_code for answer in answers] == [200, 500, 200, 500, 200]
    assert (await rig.count("claims"), await rig.count("other_events"), await rig.count("events")) == (3, 3, 3)
    await close(rig)


async def test_any_statement_may_be_collected():
    """What cannot be run as a batch is run for each event by itself."""
    rig = make_rig(qsops_handler=f"{HERE}:asking")
    answers = await asyncio.gather(*(rig.deliver(rig.event(mid=f"m-{number}")) for number in range(3)))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert await rig.count("other_events") == 3
    await close(rig)


async def test_a_recorded_request_has_no_second_effect(rig: Rig):
    """Within its five minutes a signed request that is played back is a duplicate, behind them it is refused."""
    sent = (await rig.deliver(rig.event())).request
    headers = {name: value for name, value in sent.headers.items() if name.startswith("upstash")}

    async def replay() -> tuple[int, Any]:
        answer = await rig.http.post(CONSUMER_PATH, content=sent.content, headers=headers)
        return answer.status_code, answer.json()

    assert await replay() == (200, {"status": "duplicate"})
    rig.clock.advance(304_000)
    assert await replay() == (200, {"status": "duplicate"})
    rig.clock.advance(1_000)
    assert (await replay())[0] == 401
    assert await rig.count("direct_messages") == 1
