import asyncio

import pytest
from msgspec.structs import replace

from qsops.clock import ManualClock
from qsops.errors import Unreachable
from qsops.models import Publish
from service.errors import StoreUnavailable
from service.internal import RELAY_PATH
from service.lanes import BATCH, LANES
from service.relay import DRAIN_WITHIN_S, IDLE_MS, LEASE_MS, LONGEST_FAULT_MS, LONGEST_WAIT_MS, STOP_WITHIN_S
from service.samples import ACCOUNT, encode, entry, item, post
from service.store import Outgoing, SqliteStore
from tests.service.rig import Rig, close, make_rig, raising, refused
from tests.service.virtual import advance, run


async def queue(rig: Rig, count: int = 1, answer: int = 503) -> None:
    rig.qstash.answer = refused(answer)
    items = [item("message", f"m-{number}", number + 1) for number in range(count)]
    await rig.webhook(encode(post(entry(ACCOUNT, 1, messaging=items))))


def test_the_relay_sends_under_the_same_ids_once_qstash_is_back():
    """What QStash did not take is sent later, unchanged, without anybody's doing."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await queue(rig, 3)
        first = list(rig.qstash.published)
        await advance(clock, 600_000)
        assert len(rig.qstash.published) > 3
        rig.qstash.answer = None
        rig.qstash.published.clear()
        await advance(clock, LONGEST_WAIT_MS + 1)
        assert sorted(rig.qstash.published, key=repr) == sorted(first, key=repr)
        assert {entry.state for entry in await rig.ledger()} == {"published"}
        assert await rig.count("outbox") == 0
        await close(rig)

    run(main)


def test_the_relay_backs_off_and_stops_when_nothing_waits():
    """An outage of a day costs a few hundred requests, not one a second; an empty outbox costs none."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await queue(rig)
        await advance(clock, 86_400_000)
        requests = len(rig.qstash.requests)
        assert 250 < requests < 700
        rig.qstash.answer = None
        await advance(clock, LONGEST_WAIT_MS + 1)
        assert len(rig.qstash.requests) == requests + 1
        await advance(clock, 86_400_000)
        assert len(rig.qstash.requests) == requests + 1
        await close(rig)

    run(main)


def test_a_publish_that_goes_through_ends_the_wait():
    """Whoever sees QStash answer wakes the relay: the outbox does not sit out its backoff."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await queue(rig, BATCH + 7)
        await advance(clock, 3_600_000)
        rig.qstash.answer = None
        rig.qstash.published.clear()
        await rig.post_sample("message", "another")
        await advance(clock, 1)
        assert len(rig.qstash.published) == BATCH + 7 + 1
        assert await rig.count("outbox") == 0
        await close(rig)

    run(main)


def test_a_row_that_waits_does_not_hold_up_others():
    """While one message is at a limit of the plan, a follow-up that is due goes out at once."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        limited = Publish("https://limited.example", deduplication_id="d-1")
        rig.qstash.answer = refused(412, "quota maxDelay exceeded, current limit: 1")
        await rig.service.store.record([], [Outgoing(limited)], clock.now_ms())
        rig.service.relay.wake()
        await advance(clock, 60_000)
        rig.qstash.answer = None
        rig.service.relay.qstash_answered()
        await rig.service.store.record(
            [], [Outgoing(Publish("https://b.example", deduplication_id="d-2"))], clock.now_ms()
        )
        rig.service.relay.wake()
        await advance(clock, 1)
        assert [message.destination for message in rig.qstash.published][-1] == "https://b.example"
        await close(rig)

    run(main)


async def test_the_relay_can_be_told_to_send_now(rig: Rig):
    """POST /api/internal/relay sends what waits, due or not, and says what is left and what failed."""
    await queue(rig, 2)
    rig.qstash.answer = None
    told = (await rig.internal("POST", RELAY_PATH)).json()
    assert told == {"sent": 2, "queued": 0, "parked": 0, "oldest_s": 0, "failures": {"server_fault": 2}}
    assert {entry.state for entry in await rig.ledger()} == {"published"}


async def test_a_large_outbox_goes_in_batches(rig: Rig):
    """The relay sends at most a batch a request, and each row once."""
    await queue(rig, 2 * BATCH + 1)
    rig.qstash.answer = None
    rig.qstash.requests.clear()
    rig.qstash.published.clear()
    assert (await rig.internal("POST", RELAY_PATH)).json()["sent"] == 2 * BATCH + 1
    assert len(rig.qstash.requests) == 3
    assert len({message.deduplication_id for message in rig.qstash.published}) == 2 * BATCH + 1


async def test_an_outage_ends_the_round(rig: Rig):
    """When QStash is away, one request finds out; the other batches are not tried against a wall."""
    await queue(rig, 2 * BATCH + 1)
    rig.qstash.requests.clear()
    rig.qstash.answer = raising(Unreachable("no connection"))
    assert (await rig.internal("POST", RELAY_PATH)).json()["queued"] == 2 * BATCH + 1
    assert len(rig.qstash.requests) == 1


async def test_bytes_that_no_batch_can_hold_go_by_themselves(rig: Rig):
    """A batch is JSON and carries text: a body that is not UTF-8 is sent alone."""
    messages = [
        Publish("https://a.example", body, deduplication_id=f"d-{n}") for n, body in enumerate((b"a", b"\xff", b"c"))
    ]
    await rig.service.store.record([], [Outgoing(message) for message in messages], rig.clock.now_ms())
    assert (await rig.internal("POST", RELAY_PATH)).json()["sent"] == 3
    assert sorted(message.body for message in rig.qstash.published) == [b"a", b"c", b"\xff"]


async def test_a_row_that_cannot_be_read_is_parked_and_holds_up_nobody(rig: Rig, caplog: pytest.LogCaptureFixture):
    """What an older build or a hand wrote wrongly into the outbox waits for a person; the rest is sent."""
    messages = [Publish("https://a.example", b"secret", deduplication_id=f"d-{n}") for n in range(4)]
    broken = [replace(messages[0], headers=(("X", "a\nsecret"),)), replace(messages[1], method="BREW")]
    rows = [Outgoing(message) for message in [*broken, *messages[2:]]]
    await rig.service.store.record([], rows, rig.clock.now_ms())
    told = (await rig.internal("POST", RELAY_PATH)).json()
    assert (told["sent"], told["queued"], told["parked"]) == (2, 0, 2)
    reasons = [row["reason"] for row in await rig.rows("select reason from outbox order by id")]
    assert reasons == [f"malformed: row {n} is no publish request (Rejected)" for n in (1, 2)]
    assert "secret" not in caplog.text


def outgoing(number: int, conversation: str | None = None) -> Outgoing:
    return Outgoing(
        Publish(f"https://{conversation}.example/{number}", deduplication_id=f"d-{number}"), conversation=conversation
    )


def asked(rig: Rig) -> list[str]:
    """The last steps of the destinations that QStash was asked to send to."""
    return [message.destination.rpartition("/")[2] for message in rig.qstash.published]


def test_a_row_that_waits_holds_back_its_conversation_and_no_other():
    """A postponed row is followed by the later ones of its conversation once it is sent; others overtake it."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        limited = refused(412, "quota maxDelay exceeded, current limit: 1")
        rig.qstash.answer = limited
        await rig.service.store.record([], [outgoing(0, "a")], clock.now_ms())
        await rig.service.relay.drain()
        rig.qstash.answer = None
        rig.qstash.published.clear()
        await rig.service.store.record([], [outgoing(1, "a"), outgoing(2, "b"), outgoing(3)], clock.now_ms())
        assert (await rig.service.relay.drain()).sent == 2
        assert asked(rig) == ["2", "3"]
        clock.advance(1_000)
        assert (await rig.service.relay.drain()).sent == 2
        assert asked(rig) == ["2", "3", "0", "1"]
        await close(rig)

    run(main)


def test_a_parked_row_holds_back_nobody():
    """What waits for a person may wait for ever: the conversation goes on without it."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        rig.qstash.answer = refused(400, "invalid destination url")
        await rig.service.store.record([], [outgoing(0, "a")], clock.now_ms())
        assert (await rig.service.relay.drain()).parked == 1
        rig.qstash.answer = None
        await rig.service.store.record([], [outgoing(1, "a")], clock.now_ms())
        assert (await rig.service.relay.drain()).sent == 1
        await close(rig)

    run(main)


def test_a_conversation_keeps_its_order_across_requests():
    """Requests of several lanes end in any order; those of one conversation go one after another."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        rows = [outgoing(number, f"c{number % 5}") for number in range(7 * BATCH)]
        await rig.service.store.record([], rows, clock.now_ms())
        rig.qstash.takes_s = 0.5
        draining = asyncio.create_task(rig.service.relay.drain())
        await advance(clock, 10_000)
        assert draining.result().sent == 7 * BATCH
        for conversation in range(5):
            mine = [int(step) for step in asked(rig) if int(step) % 5 == conversation]
            assert mine == sorted(mine)
        assert 1 < rig.qstash.most_in_flight <= LANES
        await close(rig)

    run(main)


def test_two_relays_never_send_a_row_twice_while_its_lease_holds():
    """Two processes that drain one outbox at the same time share it out; each row is sent once."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await rig.service.store.record([], [outgoing(number) for number in range(5 * BATCH)], clock.now_ms())
        rig.qstash.takes_s = 1
        draining = [asyncio.create_task(rig.service.relay.drain(everything=everything)) for everything in (0, 1)]
        await advance(clock, 20_000)
        assert [task.result().sent > 0 for task in draining] == [True, True]
        assert sum(task.result().sent for task in draining) == 5 * BATCH == len(set(asked(rig))) == len(asked(rig))
        await close(rig)

    run(main)


def test_what_a_killed_relay_held_is_sent_once_its_lease_has_run_out():
    """Between a send and its record a process may die: another one sends the rows again, under the same ids."""

    async def main(clock: ManualClock) -> None:
        store = SqliteStore(":memory:")
        killed, other = make_rig(clock, store), make_rig(clock, store)
        await store.record([], [outgoing(number, "a") for number in range(3)], clock.now_ms())
        killed.qstash.takes_s = 5
        dying = asyncio.create_task(killed.service.relay.drain())
        await advance(clock, 1_000)
        dying.cancel()
        await advance(clock, LEASE_MS - 2_000)
        assert (await other.service.relay.drain(everything=True)).sent == 0
        await advance(clock, 1_000)
        assert (await other.service.relay.drain()).sent == 3
        assert other.qstash.published == killed.qstash.published
        await killed.http.aclose()
        await close(other)

    run(main)


def test_a_lease_outlives_the_longest_round():
    """However slowly QStash answers, a round ends, and has written what became of its rows, while it still has them."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await rig.service.store.record([], [outgoing(number, "a") for number in range(20 * BATCH)], clock.now_ms())
        rig.qstash.takes_s = 9.9
        started_ms = clock.now_ms()
        draining = asyncio.create_task(rig.service.relay.drain())
        await advance(clock, LEASE_MS - 1)
        assert draining.done()
        (row,) = await rig.rows("select count(*) as n from outbox where leased_until_ms is not null")
        assert row["n"] == 0
        assert clock.now_ms() < started_ms + LEASE_MS
        await close(rig)

    run(main)


def test_a_drain_on_request_is_bounded_and_says_what_is_left():
    """Where no loop lives between requests the route sends for so long, and the caller sees that it must come again."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await rig.service.store.record([], [outgoing(number, "a") for number in range(20 * BATCH)], clock.now_ms())
        clock.advance(5_000)
        rig.qstash.takes_s = 3
        asking = asyncio.create_task(rig.internal("POST", RELAY_PATH))
        await advance(clock, round(DRAIN_WITHIN_S * 1000))
        told = asking.result().json()
        assert BATCH < told["sent"] < 20 * BATCH
        assert told["sent"] + told["queued"] == 20 * BATCH
        assert told["oldest_s"] == 5 + DRAIN_WITHIN_S
        rig.qstash.takes_s = 0
        await advance(clock, 300_000)
        assert (await rig.internal("POST", RELAY_PATH)).json()["queued"] == 0
        assert len(set(asked(rig))) == 20 * BATCH
        await close(rig)

    run(main)


def test_a_stop_waits_for_the_requests_under_way():
    """What QStash has taken is written before the process ends, so that the next one does not send it again."""

    async def main(clock: ManualClock) -> None:
        store = SqliteStore(":memory:")
        rig = make_rig(clock, store)
        await store.record([], [outgoing(number) for number in range(3 * BATCH)], clock.now_ms())
        rig.qstash.takes_s = 2
        rig.service.relay.wake()
        await advance(clock, 1_000)
        stopping = asyncio.create_task(rig.service.relay.aclose())
        await advance(clock, 1_000)
        assert stopping.done()
        assert (await store.backlog()).queued == 2 * BATCH
        assert len(rig.qstash.requests) == 1
        await close(rig)

    run(main)


def test_a_stop_does_not_wait_for_ever():
    """A QStash that hangs does not keep a process alive: what it has not answered stays in the outbox."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await rig.service.store.record([], [outgoing(1)], clock.now_ms())
        rig.qstash.takes_s = 365 * 86_400
        rig.service.relay.wake()
        await advance(clock, 1)
        stopping = asyncio.create_task(rig.service.relay.aclose())
        await advance(clock, round(STOP_WITHIN_S * 1000))
        assert stopping.done()
        assert await rig.count("outbox") == 1
        await close(rig)

    run(main)


def test_an_idle_relay_finds_what_another_process_left():
    """A process that has nothing of its own to send looks, now and then, for what one that died has left."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        async with rig.app.router.lifespan_context(rig.app):
            await advance(clock, 1_000)
            await rig.service.store.record([], [outgoing(1)], clock.now_ms())
            await advance(clock, IDLE_MS)
            assert asked(rig) == ["1"]
        await rig.http.aclose()

    run(main)


def test_a_fault_of_one_round_does_not_end_the_relay(monkeypatch: pytest.MonkeyPatch):
    """Whatever goes wrong in a round, the next one comes: else the outbox would wait for a restart."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await rig.service.store.record([], [outgoing(1)], clock.now_ms())
        with monkeypatch.context() as broken:
            broken.setattr(rig.service.store, "take", lambda *_, **__: 1 / 0)
            rig.service.relay.wake()
            await advance(clock, 1)
        await advance(clock, 10_000)
        assert asked(rig) == ["1"]
        await close(rig)

    run(main)


def test_a_database_that_was_away_is_not_waited_for_like_qstash(monkeypatch: pytest.MonkeyPatch):
    """However long it was away, moments after it is back the outbox is sent, though nobody posts anything new."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock)
        await rig.service.store.record([], [outgoing(1)], clock.now_ms())
        looks: list[int] = []

        async def away(*_: object, **__: object) -> None:
            looks.append(clock.now_ms())
            raise StoreUnavailable("switched off")

        with monkeypatch.context() as broken:
            broken.setattr(rig.service.store, "take", away)
            rig.service.relay.wake()
            await advance(clock, 600_000)
        assert 60 <= len(looks) <= 150
        await advance(clock, LONGEST_FAULT_MS)
        assert asked(rig) == ["1"]
        await close(rig)

    run(main)


def test_a_new_process_sends_what_the_last_one_left(tmp_path):  # type: ignore[no-untyped-def]
    """The outbox survives its process: the next one sends it as it starts."""

    async def main(clock: ManualClock) -> None:
        url = f"sqlite:///{tmp_path / 'service.db'}"
        rig = make_rig(clock, database_url=url)
        await queue(rig)
        await close(rig)
        again = make_rig(clock, database_url=url)
        async with again.app.router.lifespan_context(again.app):
            await advance(clock, 5_000)
            assert [entry.state for entry in await again.ledger()] == ["published"]
        await again.http.aclose()

    run(main)
