from collections import Counter

import pytest

from qsops.models import LogFilter, State
from service.app import create_app
from service.rehearsal import POISON_ID, Fault, fault_of, make_workload, rehearsal_settings
from service.rehearsal.faults import POISON_REASON
from service.relay import LONGEST_WAIT_MS
from service.samples import NAMES, PERSON, TEXT, encode, sample
from tests.pipeline.town import BASE, HOUR_MS, Town, in_town

MINUTE_MS = 60_000
FLAKY = "service.rehearsal:flaky_handler"


def test_one_event_goes_the_whole_way():
    """Meta's bytes come out of the database as what the person wrote, and every station knows the event."""

    async def main(town: Town) -> None:
        await town.post(encode(sample("message", mid="m", at_ms=town.clock.now_ms())))
        assert [entry.state for entry in await town.ledger()] == ["published"]
        assert await town.engine.settle()
        (entry,) = await town.ledger()
        assert (entry.state, entry.mid, entry.deliveries) == ("processed", "m", 1)
        (row,) = await town.rows("select person, text from direct_messages")
        assert row == {"person": PERSON, "text": TEXT}
        logs = await town.app.state.service.client.logs(LogFilter(message_ids=(entry.message_id or "",)))
        assert {log.state for log in logs.items} == {State.CREATED, State.ACTIVE, State.DELIVERED}
        assert {log.labels for log in logs.items} == {("message",)}

    in_town(main)


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_is_processed(name: str):
    """Whatever kind and container, known or not: processed at the first delivery."""

    async def main(town: Town) -> None:
        await town.post(encode(sample(name, mid="m", at_ms=town.clock.now_ms())))
        assert await town.engine.settle()
        assert [(entry.state, entry.deliveries) for entry in await town.ledger()] == [("processed", 1)]

    in_town(main)


def test_a_faulty_workload_ends_processed_but_for_the_poison():
    """Errors, timeouts and waits pass, each event takes effect once, and the poison alone is dead, at once."""

    async def main(town: Town) -> None:
        workload = make_workload(400, 7)
        await town.post(*workload.bodies)
        assert await town.engine.settle()
        ledger = await town.ledger()
        assert {entry.event_id for entry in ledger} == workload.event_ids
        assert Counter(entry.state for entry in ledger) == {"processed": len(ledger) - 1, "dead": 1}
        assert [entry.event_id for entry in ledger if entry.state == "dead"] == [POISON_ID]
        (letter,) = await town.dead_letters()
        assert (letter.response_status, POISON_REASON.encode() in letter.response_body) == (489, True)
        claims = await town.rows("select event_id from claims")
        assert sorted(row["event_id"] for row in claims) == sorted(workload.event_ids - {POISON_ID})

    in_town(main, qsops_handler=FLAKY)


def test_faults_are_retried_as_they_deserve():
    """An error is tried again on the curve; a timeout's work is done once though its answer was lost."""

    async def main(town: Town) -> None:
        await town.post(*make_workload(400, 7).bodies)
        await town.engine.settle()
        # A handler that outlived its delivery may still be at work.
        await town.engine.advance(HOUR_MS)
        entries = {entry.event_id: entry for entry in await town.ledger()}
        by_fault = {fault_of(event_id, 0): entry for event_id, entry in entries.items()}
        assert by_fault[Fault.ERROR].deliveries >= 2
        assert by_fault[Fault.RETRY_AFTER].deliveries >= 2
        # The late answer of the first attempt is a duplicate, or was the one that counted.
        assert by_fault[Fault.TIMEOUT].deliveries >= 2
        assert by_fault[None].deliveries == 1

    in_town(main, qsops_handler=FLAKY, qsops_delivery_timeout="2s", qsops_retry_delay="1000 * (1 + retried)")


def test_the_same_run_twice_is_the_same_run():
    """A rehearsal is a function of its seed: the same ledger, to the millisecond and the id."""

    async def main(town: Town) -> list[object]:
        await town.post(*make_workload(150, 3).bodies)
        await town.engine.settle()
        return [*await town.ledger(), town.clock.now_ms()]

    assert in_town(main, qsops_handler=FLAKY) == in_town(main, qsops_handler=FLAKY)


def test_a_database_away_for_two_hours_costs_no_message():
    """The consumer answers 503 on the message's own curve: all is processed afterwards, and the DLQ is empty."""

    async def main(town: Town) -> None:
        workload = make_workload(120, 5)
        await town.post(*workload.bodies)
        town.store.is_away = True
        await town.engine.advance(2 * HOUR_MS)
        town.store.is_away = False
        assert {entry.state for entry in await town.ledger()} == {"published"}
        assert await town.engine.settle()
        assert await town.dead_letters() == []
        ledger = await town.ledger()
        assert {entry.event_id for entry in ledger} == workload.event_ids
        assert {entry.state for entry in ledger} == {"processed"}
        assert min(entry.deliveries for entry in ledger) >= 3

    in_town(main)


def test_an_unreachable_qstash_costs_no_event():
    """Meta is answered 200, the events wait in the outbox, and the relay publishes each once when QStash is back."""

    async def main(town: Town) -> None:
        workload = make_workload(120, 6)
        town.road.is_cut = True
        await town.post(*workload.bodies)
        assert {entry.state for entry in await town.ledger()} == {"queued"}
        await town.engine.advance(HOUR_MS)
        town.road.is_cut = False
        # The longest wait of the relay, and what QStash then has to do.
        await town.engine.advance(HOUR_MS)
        ledger = await town.ledger()
        assert {entry.event_id for entry in ledger} == workload.event_ids
        assert {(entry.state, entry.deliveries) for entry in ledger} == {("processed", 1)}
        assert await town.rows("select * from outbox") == []

    in_town(main)


@pytest.mark.parametrize("mode", ["direct", "outbox-first"])
def test_ten_minutes_without_qstash_cost_no_event(mode: str):
    """Posts go on all the while: each is answered 200 and kept, readiness says degraded and not away, and once QStash
    is back all of them are processed, once, before the relay's longest wait is over."""

    async def main(town: Town) -> None:
        workload = make_workload(200, 8)
        before, during = workload.bodies[:1], workload.bodies[1:]
        await town.post(*before)
        await town.engine.settle()
        known = {entry.event_id for entry in await town.ledger()}
        town.road.is_cut = True
        told = []
        for minute in range(10):
            await town.post(*during[minute::10])
            await town.engine.advance(MINUTE_MS)
            answer = await town.http.get("/readyz")
            told.append((answer.status_code, answer.json()["status"]))
        assert told[3:] == [(200, "ok")] * 2 + [(200, "degraded")] * 5
        assert {entry.state for entry in await town.ledger() if entry.event_id not in known} == {"queued"}
        town.road.is_cut = False
        await town.engine.advance(LONGEST_WAIT_MS)
        ledger = await town.ledger()
        assert {entry.event_id for entry in ledger} == workload.event_ids
        assert {(entry.state, entry.deliveries) for entry in ledger} == {("processed", 1)}
        assert await town.rows("select * from outbox") == []
        assert (await town.http.get("/readyz")).json()["status"] == "ok"

    in_town(main, qsops_ingest_mode=mode)


def test_what_was_refused_at_the_gate_is_delivered_after_the_key_is_mended():
    """A wrong key of ours answers 401, which QStash retries: once it is mended nothing was lost."""

    async def main(town: Town) -> None:
        await town.post(encode(sample("message", mid="m", at_ms=town.clock.now_ms())))
        await town.engine.advance(HOUR_MS)
        assert town.app.state.service.tally.counts("/api/qstash/instagram-ingestion") == {"key": 4}
        assert [entry.state for entry in await town.ledger()] == ["published"]
        mended = create_app(rehearsal_settings(BASE), clock=town.clock, transport=town.road, store=town.store)
        town.engine.mount(BASE, mended)
        assert await town.engine.settle()
        assert [entry.state for entry in await town.ledger()] == ["processed"]
        assert await town.dead_letters() == []

    in_town(main, qstash_current_signing_key="sig_wrong", qstash_next_signing_key="sig_wrong_too")
