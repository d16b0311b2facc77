from dataclasses import replace

import pytest

from qsops.clock import ManualClock
from qsops.errors import Unreachable
from qsops.models import Publish
from service.internal import RELAY_PATH
from service.lanes import BATCH
from service.relay import LONGEST_WAIT_MS
from service.samples import ACCOUNT, encode, entry, item, post
from service.store import Outgoing
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
