"""What a POST waits for, in both modes: QStash and the database slow, hung and back, on virtual time."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from qsops.clock import ManualClock
from qsops.errors import OutcomeUnknown
from service.ingest import ANSWER_WITHIN_S, COMMIT_WITHIN_S, PUBLISH_WITHIN_S, WAIT_MS
from service.lanes import BATCH, LANES
from service.rehearsal import INTERNAL_TOKEN
from service.samples import ACCOUNT, encode, entry, item, post
from service.store import SqliteStore
from service.tally import EVENTS
from tests.service.rig import Rig, close, make_rig, raising, refused
from tests.service.virtual import advance, run

MODES = pytest.mark.parametrize("mode", ["direct", "outbox-first"])
NEVER_S = 365 * 86_400.0


def many(count: int, people: int = 1, first: int = 0) -> bytes:
    numbers = range(first, first + count)
    return encode(post(entry(ACCOUNT, 1, messaging=[message(number, people) for number in numbers])))


def message(number: int, people: int) -> dict[str, Any]:
    return item("message", f"m-{number}", number + 1, person=f"9{number % people}")


async def settled(clock: ManualClock, answer: Coroutine[Any, Any, httpx.Response], within_s: float) -> httpx.Response:
    """The answer, which must come within so long, and in ``direct`` mode may take as long."""
    task = asyncio.create_task(answer)
    await advance(clock, round(within_s * 1000))
    assert task.done()
    return task.result()


class Hanging(SqliteStore):
    """A database of which single verbs take long, or never end."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.takes_s: dict[str, float] = {}
        self.records: list[int] = []

    async def known(self, event_ids):  # type: ignore[no-untyped-def, override]
        await asyncio.sleep(self.takes_s.get("known", 0))
        return await super().known(event_ids)

    async def record(self, entries, outgoing, now_ms):  # type: ignore[no-untyped-def, override]
        self.records.append(len(entries))
        await asyncio.sleep(self.takes_s.get("record", 0))
        return await super().record(entries, outgoing, now_ms)

    async def receive(self, entries, outgoing, now_ms):  # type: ignore[no-untyped-def, override]
        self.records.append(len(entries))
        await asyncio.sleep(self.takes_s.get("known", 0) + self.takes_s.get("record", 0))
        return await super().receive(entries, outgoing, now_ms)


@MODES
def test_what_is_taken_is_sent_once(mode: str):
    """In either mode each event of a POST becomes one message, and the ledger says so."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock, qsops_ingest_mode=mode)
        told = (await rig.webhook(many(30, people=3))).json()
        assert told == {"accepted": 30, "duplicates": 0, "queued": 0 if mode == "direct" else 30}
        await advance(clock, 1)
        assert len(rig.qstash.published) == len({one.deduplication_id for one in rig.qstash.published}) == 30
        assert {one.state for one in await rig.ledger()} == {"published"}
        assert await rig.count("outbox") == 0
        assert (await rig.webhook(many(30, people=3))).json()["duplicates"] == 30
        await close(rig)

    run(main)


@MODES
def test_events_are_counted_by_what_became_of_them(mode: str):
    """The metrics tell published, queued and repeated events apart."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock, qsops_ingest_mode=mode)
        await rig.webhook(many(3))
        await rig.webhook(many(3))
        taken = "published" if mode == "direct" else "queued"
        assert rig.service.tally.counts(EVENTS) == {taken: 3, "duplicate": 3}
        await close(rig)

    run(main)


@MODES
def test_qstash_that_hangs_keeps_nobody_waiting(mode: str):
    """A POST waits half a second for QStash in direct mode and not at all outbox-first; nothing of it is lost."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock, qsops_ingest_mode=mode)
        rig.qstash.takes_s = NEVER_S
        task = asyncio.create_task(rig.webhook(many(3)))
        await advance(clock, 0)
        assert task.done() == (mode == "outbox-first")
        await advance(clock, round(PUBLISH_WITHIN_S * 1000))
        assert (task.result().status_code, task.result().json()["queued"]) == (200, 3)
        await abandon(clock, rig)

    run(main)


async def abandon(clock: ManualClock, rig: Rig) -> None:
    """Close a rig whose QStash hangs: its last requests are waited for, and that takes time."""
    closing = asyncio.create_task(close(rig))
    await advance(clock, 60_000)
    await closing


def test_a_publish_without_an_answer_waits_under_the_same_id():
    """QStash may have taken what it did not answer in time: the relay sends it under the same deduplication id."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        rig.qstash.takes_s = NEVER_S
        told = await settled(clock, rig.webhook(many(3)), PUBLISH_WITHIN_S)
        assert told.json()["queued"] == 3
        assert {one.reason for one in await rig.ledger()} == {"timeout: no answer within 0.5 s"}
        first = {one.deduplication_id for one in rig.qstash.published}
        rig.qstash.takes_s = 0
        rig.qstash.published.clear()
        await advance(clock, WAIT_MS + 1)
        assert {one.deduplication_id for one in rig.qstash.published} == first
        assert {one.state for one in await rig.ledger()} == {"published"}
        await close(rig)

    run(main)


@pytest.mark.parametrize("lost", [None, OutcomeUnknown("reset")], ids=["timeout", "lost answer"])
def test_while_qstash_is_away_no_post_waits(lost: Exception | None):
    """Two publishes without an answer, and the next POSTs go to the outbox at once, until the relay is answered."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        rig.qstash.takes_s, rig.qstash.answer = (NEVER_S, None) if lost is None else (0, raising(lost))
        for number in range(2):
            assert (await settled(clock, rig.webhook(many(1, first=number)), PUBLISH_WITHIN_S)).status_code == 200
        asked = len(rig.qstash.requests)
        for number in range(2, 50):
            assert (await settled(clock, rig.webhook(many(1, first=number)), 0)).json()["queued"] == 1
        assert len(rig.qstash.requests) == asked
        assert (await rig.ledger())[-1].reason == "away: QStash did not answer lately; the relay sends it"
        rig.qstash.takes_s, rig.qstash.answer = 0, None
        await advance(clock, 60_000)
        assert await rig.count("outbox") == 0
        assert (await rig.webhook(many(1, first=50))).json() == {"accepted": 1, "duplicates": 0, "queued": 0}
        assert {one.state for one in await rig.ledger()} == {"published"}
        await close(rig)

    run(main)


def test_a_refusal_is_an_answer():
    """503 and 429 come at once and keep nobody waiting: QStash counts as there, and is asked again."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        rig.qstash.answer = refused(503)
        for number in range(5):
            await rig.webhook(many(1, first=number))
        assert len(rig.qstash.requests) == 5
        await close(rig)

    run(main)


def test_a_thousand_updates_go_in_bounded_requests():
    """A POST of 1,000 is parted by count; several requests are in flight, within a bound."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        rig.qstash.takes_s = 0.1
        told = await settled(clock, rig.webhook(many(1_000, people=200)), PUBLISH_WITHIN_S)
        assert told.json() == {"accepted": 1_000, "duplicates": 0, "queued": 0}
        assert 1_000 // BATCH <= len(rig.qstash.requests) <= 1_000 // BATCH + LANES
        assert rig.qstash.most_in_flight == LANES
        await close(rig)

    run(main)


@MODES
def test_a_thousand_updates_are_one_commit(mode: str):
    """However many updates a POST has, the database is asked once what it knows, and told once what became of them."""

    async def main(clock: ManualClock) -> None:
        store = Hanging()
        rig = make_rig(clock, store, qsops_ingest_mode=mode)
        assert (await rig.webhook(many(1_000, people=200))).json()["accepted"] == 1_000
        assert store.records == [1_000]
        await close(rig)

    run(main)


def test_what_of_a_thousand_finds_no_time_waits_in_its_order():
    """Half of a large POST may be sent in time: the rest goes to the outbox, each conversation in its order."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        rig.qstash.takes_s = 0.2
        told = await settled(clock, rig.webhook(many(1_000, people=7)), PUBLISH_WITHIN_S)
        queued = told.json()["queued"]
        assert 0 < queued < 1_000
        rig.qstash.takes_s = 0
        await advance(clock, 60_000)
        assert {one.state for one in await rig.ledger()} == {"published"}
        assert orders(rig, 7) == {str(person): list(range(person, 1_000, 7)) for person in range(7)}
        await close(rig)

    run(main)


def orders(rig: Rig, people: int) -> dict[str, list[int]]:
    """The messages of each person in the order in which QStash was first asked to take them."""
    found: dict[str, list[int]] = {str(person): [] for person in range(people)}
    for one in rig.qstash.published:
        number = int(one.body.partition(b'"mid":"m-')[2].partition(b'"')[0])
        if number not in found[str(number % people)]:
            found[str(number % people)].append(number)
    return found


@MODES
@pytest.mark.parametrize("verb", ["known", "record"])
def test_a_database_that_hangs_is_503_in_time(mode: str, verb: str):
    """Meta is told within a second to come again, and the repeat is taken once, under the same deduplication ids."""

    async def main(clock: ManualClock) -> None:
        store = Hanging()
        rig = make_rig(clock, store, qsops_ingest_mode=mode)
        store.takes_s[verb] = NEVER_S
        answer = await settled(clock, rig.webhook(many(3)), ANSWER_WITHIN_S + 0.003)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert (await rig.ledger(), await rig.count("outbox")) == ([], 0)
        store.takes_s.clear()
        assert (await rig.webhook(many(3))).json()["accepted"] == 3
        await advance(clock, WAIT_MS + 1)
        assert len({one.deduplication_id for one in rig.qstash.published}) == 3
        assert [one.state for one in await rig.ledger()] == ["published"] * 3
        assert await rig.count("outbox") == 0
        await close(rig)

    run(main)


def test_a_slow_database_leaves_less_time_for_qstash():
    """The second is one for all: what the database has used up of it QStash does not get."""

    async def main(clock: ManualClock) -> None:
        store = Hanging()
        rig = make_rig(clock, store)
        store.takes_s = {"known": ANSWER_WITHIN_S - COMMIT_WITHIN_S - 0.1, "record": COMMIT_WITHIN_S - 0.01}
        rig.qstash.takes_s = NEVER_S
        answer = await settled(clock, rig.webhook(many(3)), ANSWER_WITHIN_S + 0.003)
        assert (answer.status_code, answer.json()["queued"]) == (200, 3)
        await abandon(clock, rig)

    run(main)


@MODES
def test_other_producers_are_bounded_alike(mode: str):
    """The internal ingest route is the same ingest: 503 in time when the database hangs."""

    async def main(clock: ManualClock) -> None:
        store = Hanging()
        rig = make_rig(clock, store, qsops_ingest_mode=mode)
        store.takes_s["record"] = NEVER_S
        events = {"events": [{"id": "e-1", "kind": "order", "account": "a", "payload": {}}]}
        headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
        asking = rig.http.post("/api/internal/ingest-event", json=events, headers=headers)
        assert (await settled(clock, asking, ANSWER_WITHIN_S + 0.001)).status_code == 503
        await close(rig)

    run(main)


@pytest.mark.parametrize("mode", ["direct", "outbox-first"])
async def test_a_postgresql_that_falls_silent_is_503(postgres_url: str, mode: str, monkeypatch: pytest.MonkeyPatch):
    """A server that hangs answers nothing, not even that a query is given up: Meta is told all the same."""
    rig = make_rig(database_url=postgres_url, qsops_ingest_mode=mode)
    assert (await rig.webhook(many(1))).status_code == 200
    mine = "select pid from pg_stat_activity where application_name = 'qsops' and datname = current_database()"
    pids = [row["pid"] for row in await rig.rows(mine)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr("service.ingest.ANSWER_WITHIN_S", 0.3)
        assert (await rig.webhook(many(1, first=1))).status_code == 503
        monkeypatch.undo()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert (await rig.webhook(many(2))).status_code == 200
    assert [one.mid for one in await rig.ledger()] == ["m-0", "m-1"]
    await close(rig)
