import pytest

from qsops.clock import EPOCH_MS
from qsops.config.dev_users import DEV_USERS
from qsops.engine.embedded import Embedded
from qsops.engine.plans import REQUESTS_PER_S
from qsops.errors import OutcomeUnknown, RateLimited, Unreachable
from qsops.wire.failures import BurstLimit, raise_for_status, ratelimit
from qsops.wire.http import Request
from tests.engine.caller import Caller

KEYS = Request("GET", "/v2/keys", headers=(("Authorization", f"Bearer {DEV_USERS[0].token}"),))


async def test_a_429_is_the_burst_limit(engine: Embedded):
    """It has the headers by which clients tell the limit per second from the daily one, and the end of this second."""
    engine.faults.add("engine 429")
    answer = await engine.send(KEYS)
    assert answer.status == 429
    assert ratelimit(answer.headers) == BurstLimit(REQUESTS_PER_S, 0, EPOCH_MS / 1000 + 1)
    with pytest.raises(RateLimited) as limited:
        raise_for_status(answer)
    assert limited.value.kind == "burst"


async def test_a_500_changes_nothing(engine: Embedded, caller: Caller):
    """The request was not looked at: nothing is published, and the answer names the fault."""
    engine.faults.add("engine 500 for=1s")
    answer = await caller.ask("POST", "/v2/publish/https://a.test")
    assert (answer.status, answer.error) == (500, "fault_1: engine 500 for=1s")
    await engine.advance(1_000)
    assert await caller.logs() == []


async def test_an_unreachable_engine_has_taken_nothing(engine: Embedded, caller: Caller):
    """A client gets no connection, so it may send again without asking; when the fault is over, it may."""
    engine.faults.add("engine unreachable for=1m")
    with pytest.raises(Unreachable, match="fault_1: engine unreachable for=1m"):
        await caller.publish("https://a.test")
    await engine.advance(60_000)
    assert await caller.logs() == []
    assert await caller.publish("https://a.test")


@pytest.mark.parametrize("text", ["engine unreachable after=true", "engine 503 after=true"])
async def test_a_lost_answer_hides_what_was_done(engine: Embedded, caller: Caller, text: str):
    """With after=true the message is published though the client is told otherwise: only a deduplication id helps."""
    found = engine.faults.add(text)
    if "503" in text:
        assert (await caller.ask("POST", "/v2/publish/https://a.test")).status == 503
    else:
        with pytest.raises(OutcomeUnknown):
            await caller.publish("https://a.test")
    engine.faults.remove(found.fault_id)
    assert [entry["state"] for entry in await caller.logs()] == ["CREATED"]


async def test_a_slow_engine_moves_the_clock(engine: Embedded, caller: Caller):
    """Under the manual clock a slow answer takes its time there, and what falls due meanwhile happens."""
    receiver = engine.receiver("https://a.test")
    await caller.publish("https://a.test", delay="1s")
    engine.faults.add("engine slow=2s method=GET")
    assert (await engine.send(KEYS)).status == 200
    assert engine.clock.now_ms() == EPOCH_MS + 2_000
    assert [got.at_ms - EPOCH_MS for got in receiver.received] == [1_000]


async def test_only_the_calls_it_is_about(engine: Embedded, caller: Caller):
    """By path and by method; deliveries are none of its business."""
    receiver = engine.receiver("https://a.test")
    engine.faults.add("engine 500 path=/v2/dlq*")
    engine.faults.add("engine 502 method=DELETE")
    assert (await caller.ask("GET", "/v2/dlq/1")).status == 500
    assert (await caller.ask("DELETE", "/v2/dlq/1")).status == 500
    assert (await caller.ask("DELETE", "/v2/messages/1")).status == 502
    await caller.publish("https://a.test")
    await engine.settle()
    assert len(receiver.received) == 1


async def test_the_same_calls_meet_the_same_faults(engine: Embedded, caller: Caller):
    """Twenty calls in a row are met in a pattern that the seed fixes."""

    async def pattern(seed: int) -> list[int]:
        other = Embedded(clock=engine.clock, seed=seed)
        other.faults.add("engine 500 40%")
        found = [(await other.send(KEYS)).status for _ in range(20)]
        await other.aclose()
        return found

    assert await pattern(3) == await pattern(3)
    assert set(await pattern(3)) == {200, 500}
    assert await pattern(3) != await pattern(4)
