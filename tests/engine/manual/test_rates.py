import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.config.dev_users import DEV_USERS
from qsops.engine.core.quota import day_ends_s, day_of, spend, spent
from qsops.engine.embedded import Embedded
from qsops.engine.engine import Engine
from qsops.errors import RateLimited
from qsops.models import Headers
from qsops.wire import texts
from qsops.wire.failures import BurstLimit, burst_headers, daily_headers, raise_for_status, ratelimit
from qsops.wire.http import Request, Response

URL = "https://shop.test/hook"
DAY_MS = 86_400_000
EPOCH_S = EPOCH_MS // 1000


async def send(
    engine: Embedded, method: str, path: str, body: bytes = b"", headers: Headers = (), user: int = 0
) -> Response:
    authorization = ("Authorization", f"Bearer {DEV_USERS[user].token}")
    return await engine.send(Request(method, path, headers=(authorization, *headers), body=body))


def told(response: Response) -> dict[str, str]:
    """The headers about limits."""
    return {name: value for name, value in response.headers if "ratelimit" in name.lower()}


async def test_requests_over_the_limit_of_a_second_are_refused(clock: ManualClock):
    """429 with the three burst headers, and what was left before; the next second of the clock begins anew."""
    engine = Embedded(clock=clock, burst_limit=2)
    clock.advance(300)
    for left in ("1", "0"):
        response = await send(engine, "GET", "/v2/keys")
        assert response.status == 200
        assert told(response) == {
            "Burst-RateLimit-Limit": "2",
            "Burst-RateLimit-Remaining": left,
            "Burst-RateLimit-Reset": str(EPOCH_S + 1),
        }
    refused = await send(engine, "GET", "/v2/keys")
    assert refused.status == 429
    assert told(refused) == {**told(response), "Burst-RateLimit-Remaining": "0"}
    assert texts.quota_exceeded("maxRequestsPerSecond", 2) in refused.body.decode()
    assert (await send(engine, "GET", "/v2/keys", user=1)).status == 200
    clock.advance(699)
    assert (await send(engine, "GET", "/v2/keys")).status == 429
    clock.advance(1)
    assert (await send(engine, "GET", "/v2/keys")).status == 200
    await engine.aclose()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"/v2/publish/{URL}", 200),
        ("POST", "/v2/batch", 200),
        ("GET", "/v2/batch", 429),
        ("POST", "/v2/dlq/retry", 429),
        ("DELETE", "/v2/messages", 429),
        ("GET", "/nowhere", 429),
        ("POST", "/v2/publishers", 429),
    ],
)
async def test_what_sends_messages_has_no_limit_per_second(clock: ManualClock, method: str, path: str, status: int):
    """Publish, enqueue, batch, trigger, wait and notify are not counted; all other requests are (reference 1.1)."""
    engine = Embedded(clock=clock, burst_limit=0)
    response = await send(engine, method, path, b"[]" if path == "/v2/batch" else b"")
    assert response.status == status
    await engine.aclose()


async def test_limits_are_off_unless_asked_for(engine: Embedded):
    """On a laptop nobody is counted, and no header speaks of a limit."""
    for _ in range(200):
        response = await send(engine, "GET", "/v2/keys")
        assert (response.status, told(response)) == (200, {})


async def test_an_unknown_token_is_refused_before_it_is_counted(clock: ManualClock):
    """Whoever guesses tokens uses up nobody's requests."""
    engine = Embedded(clock=clock, burst_limit=1)
    for _ in range(3):
        assert (await engine.send(Request("GET", "/v2/keys", headers=(("Authorization", "Bearer x"),)))).status == 401
    assert (await send(engine, "GET", "/v2/keys")).status == 200
    await engine.aclose()


def test_both_kinds_are_told_apart_by_their_headers():
    """What the engine says is what our own client reads, as the SDKs do: the kind, and when to come back."""
    for headers, kind in (
        (burst_headers(BurstLimit(100, 0, EPOCH_S + 1)), "burst"),
        (daily_headers(1_000, 0, EPOCH_S + 1), "daily"),
    ):
        with pytest.raises(RateLimited) as raised:
            raise_for_status(Response(429, headers, b"{}"))
        assert (raised.value.kind, raised.value.reset_at_s) == (kind, EPOCH_S + 1)
    assert ratelimit(burst_headers(BurstLimit(100, 7, EPOCH_S))) == BurstLimit(100, 7, EPOCH_S)


def test_a_day_ends_at_midnight_utc():
    """The first millisecond of the next day is another day, and the reset is that moment."""
    assert day_of(EPOCH_MS + DAY_MS - 1) == day_of(EPOCH_MS) == day_of(EPOCH_MS + DAY_MS) - 1
    assert day_ends_s(EPOCH_MS) == day_ends_s(EPOCH_MS + DAY_MS - 1) == EPOCH_S + 86_400


@pytest.fixture
async def state(clock: ManualClock):
    """The engine behind the face."""
    engine = Embedded(clock=clock)
    yield engine._engine
    await engine.aclose()


async def test_a_day_s_messages_are_spent_whole_or_not_at_all(state: Engine):
    """What would go over the limit counts nothing; each account and each day has its own count."""
    write = state.database.write
    assert write(lambda connection: spend(connection, 1, 10, 7, 10))
    assert not write(lambda connection: spend(connection, 1, 10, 4, 10))
    assert write(lambda connection: spent(connection, 1, 10)) == 7
    assert write(lambda connection: spend(connection, 1, 10, 3, 10))
    assert not write(lambda connection: spend(connection, 1, 10, 1, 10))
    assert write(lambda connection: spend(connection, 1, 10, 0, 10))
    assert write(lambda connection: spend(connection, 2, 10, 10, 10))
    assert write(lambda connection: spend(connection, 1, 11, 10, 10))
    assert write(lambda connection: spent(connection, 1, 10)) == 0


async def test_messages_over_the_limit_of_a_day_are_refused(clock: ManualClock):
    """429 with the three daily headers and nothing accepted; at 00:00 UTC by the engine's clock the day begins anew."""
    engine = Embedded(clock=clock, daily_limit=3)
    clock.advance(DAY_MS - 1_000)
    assert (await send(engine, "POST", f"/v2/publish/{URL}")).status == 200
    three = b"[%s]" % b",".join([b'{"destination": "%s"}' % URL.encode()] * 3)
    refused = await send(engine, "POST", "/v2/batch", three)
    assert refused.status == 429
    assert told(refused) == {
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "2",
        "RateLimit-Reset": str(EPOCH_S + 86_400),
    }
    assert texts.quota_exceeded("maxMessagesPerDay", 3) in refused.body.decode()
    for status in (200, 200, 429):
        assert (await send(engine, "POST", f"/v2/publish/{URL}")).status == status
    assert (await send(engine, "POST", f"/v2/publish/{URL}", user=1)).status == 200
    assert (await send(engine, "GET", "/v2/keys")).status == 200
    clock.advance(1_000)
    assert (await send(engine, "POST", "/v2/batch", three)).status == 200
    await engine.aclose()


async def test_a_repeat_costs_no_message(clock: ManualClock):
    """What is deduplicated was sent before, and is answered even when nothing is left of the day."""
    engine = Embedded(clock=clock, daily_limit=1)
    once = (("Upstash-Deduplication-Id", "once"),)
    assert (await send(engine, "POST", f"/v2/publish/{URL}", headers=once)).status == 200
    assert (await send(engine, "POST", f"/v2/publish/{URL}", headers=once)).status == 202
    other = (("Upstash-Deduplication-Id", "other"),)
    assert (await send(engine, "POST", f"/v2/publish/{URL}", headers=other)).status == 429
    clock.advance(DAY_MS)
    assert (await send(engine, "POST", f"/v2/publish/{URL}", headers=other)).status == 200
    await engine.aclose()


async def test_the_day_s_messages_survive_a_restart(tmp_path, clock: ManualClock):
    """A restart is no way around the quota."""
    for status in (200, 429):
        engine = Embedded(clock=clock, db=tmp_path / "engine.db", daily_limit=1, seed=status)
        assert (await send(engine, "POST", f"/v2/publish/{URL}")).status == status
        await engine.aclose()


async def test_a_retried_dead_letter_is_a_message_of_the_day(engine: Embedded, clock: ManualClock):
    """It is a new message; over the limit the letter stays where it is."""
    engine = Embedded(clock=clock, daily_limit=2)
    engine.receiver(URL, "500")
    assert (await send(engine, "POST", f"/v2/publish/{URL}", headers=(("Upstash-Retries", "0"),))).status == 200
    await engine.settle()
    assert (await send(engine, "POST", "/v2/dlq/retry")).status == 201
    await engine.settle()
    refused = await send(engine, "POST", "/v2/dlq/retry")
    assert (refused.status, told(refused)["RateLimit-Remaining"]) == (429, "0")
    assert b"dlqId" in (await send(engine, "GET", "/v2/dlq")).body
    await engine.aclose()
