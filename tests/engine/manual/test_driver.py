import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from qsops.clock import ManualClock, SeededIds
from qsops.engine.core.attempts import Outcome
from qsops.engine.courier import Courier
from qsops.engine.deliveries.port import Deliver, Delivery
from qsops.engine.driver import IN_FLIGHT_LIMIT, YOUNG_LIMIT, Driver
from qsops.engine.engine import open_engine
from qsops.engine.face.router import Face
from qsops.engine.virtual import VirtualLoop
from qsops.wire.delivery import parse_delivery_headers
from tests.engine.caller import Caller

MINUTE = 60_000
HANGS = "https://hangs.test/"
FINE = "https://fine.test/"
MANY = YOUNG_LIMIT + 3


@asynccontextmanager
async def driven(clock: ManualClock, deliver: Deliver, limit: int = IN_FLIGHT_LIMIT) -> AsyncIterator[Caller]:
    """The driver of the served engine, without its sockets."""
    awake = asyncio.Event()
    engine = open_engine(":memory:", clock=clock, ids=SeededIds(clock), quota="payg", wake=awake.set)
    face = Face(engine)
    driver = Driver(engine, Courier(engine, deliver), awake, limit)
    running = asyncio.create_task(driver.run())
    yield Caller(lambda request: face.handle(request, "127.0.0.1"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await driver.drain(0)
    engine.database.close()


async def test_a_destination_that_hangs_does_not_hold_up_the_others(clock: ManualClock):
    """Who is not answered within a second gives its place away, and is not given up."""
    arrived: list[str] = []

    async def deliver(delivery: Delivery) -> Outcome:
        arrived.append(delivery.url)
        if delivery.url == HANGS:
            await asyncio.Event().wait()
        return Outcome(200)

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with driven(clock, deliver) as caller:
        await caller.ask("POST", "/v2/batch", [{"destination": HANGS}] * MANY + [{"destination": FINE}])
        await loop.quiet()
        assert (arrived.count(HANGS), arrived.count(FINE)) == (96, 0)
        clock.advance(1_000)
        await loop.quiet()
        assert (arrived.count(HANGS), arrived.count(FINE)) == (MANY, 1)


async def test_who_waits_for_room_of_its_account_goes_once_there_is_some(clock: ManualClock):
    """An account that has as many under way as its plan allows goes on as soon as they end, without another event."""
    arrived: list[str] = []
    answered = asyncio.Event()

    async def deliver(delivery: Delivery) -> Outcome:
        arrived.append(delivery.url)
        await answered.wait()
        return Outcome(200)

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with driven(clock, deliver) as caller:
        await caller.ask("POST", "/v2/batch", [{"destination": FINE}] * 150)
        await loop.quiet()
        clock.advance(1_000)
        await loop.quiet()
        assert len(arrived) == 100  # what the plan allows
        answered.set()
        await loop.quiet()
        assert len(arrived) == 150


async def test_an_attempt_of_unknown_outcome_is_made_again(clock: ManualClock):
    """Whoever delivers died amid it: the same message goes out at once under the same id, with as many retries left."""
    arrived: list[tuple[str, int]] = []

    async def deliver(delivery: Delivery) -> Outcome:
        facts = parse_delivery_headers(delivery.headers)
        arrived.append((facts.message_id, facts.retried))
        if len(arrived) <= 3:
            raise asyncio.CancelledError
        return Outcome(200)

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with driven(clock, deliver) as caller:
        message_id = await caller.publish(FINE, retries=0)
        await loop.quiet()
        assert arrived == [(message_id, 0)] * 4
        assert await caller.states(message_id) == ["CREATED", *["ACTIVE"] * 4, "DELIVERED"]
        assert await caller.dead_letters() == []
        assert (await caller.ask("GET", "/qsops/status")).json["inFlight"] == 0


async def test_an_attempt_that_is_made_again_passes_its_gates_anew(clock: ManualClock):
    """It is a call like any other: a rate admits it in the next period, and before those who came later."""
    arrived: list[tuple[bytes, int]] = []

    async def deliver(delivery: Delivery) -> Outcome:
        arrived.append((delivery.body, clock.now_ms() - start))
        if len(arrived) == 1:
            raise asyncio.CancelledError
        return Outcome(200)

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    start = clock.now_ms()
    flow = {"flow_control_key": "k", "flow_control_value": "rate=1, period=60"}
    async with driven(clock, deliver) as caller:
        for body in (b"first", b"second"):
            await caller.publish(FINE, body, **flow)
        await loop.quiet()
        for _ in range(2):
            clock.advance(MINUTE)
            await loop.quiet()
    assert arrived == [(b"first", 0), (b"first", MINUTE), (b"second", 2 * MINUTE)]


async def test_an_attempt_that_is_made_again_keeps_its_place_in_a_queue(clock: ManualClock):
    """Whoever stands behind it waits for its outcome, however often it takes."""
    arrived: list[bytes] = []

    async def deliver(delivery: Delivery) -> Outcome:
        arrived.append(delivery.body)
        if len(arrived) <= 2:
            raise asyncio.CancelledError
        return Outcome(200)

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with driven(clock, deliver) as caller:
        for body in (b"first", b"second"):
            assert (await caller.ask("POST", f"/v2/enqueue/q/{FINE}", body)).status == 200
        await loop.quiet()
    assert arrived == [b"first"] * 3 + [b"second"]


async def test_an_attempt_that_was_taken_back_is_not_made_again(clock: ManualClock):
    """Its outcome is lost, and nobody wants it any more: the message ends as canceled."""
    carried: list[asyncio.Future[Outcome]] = []

    async def deliver(delivery: Delivery) -> Outcome:
        carried.append(asyncio.get_running_loop().create_future())
        return await carried[-1]

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with driven(clock, deliver) as caller:
        message_id = await caller.publish(FINE)
        await loop.quiet()
        await caller.ask("DELETE", f"/v2/messages/{message_id}")
        carried[0].cancel()
        await loop.quiet()
        assert len(carried) == 1
        assert await caller.states(message_id) == ["CREATED", "ACTIVE", "CANCEL_REQUESTED", "CANCELED"]


async def test_the_driver_wakes_for_a_schedule(clock: ManualClock):
    """It sleeps until a schedule falls due, is told of a new one that is due before, and sends once for each time."""
    arrived: list[tuple[str, int]] = []

    async def deliver(delivery: Delivery) -> Outcome:
        arrived.append((delivery.url, clock.now_ms() - start))
        return Outcome(200)

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    start = clock.now_ms()
    async with driven(clock, deliver) as caller:
        await caller.schedule("*/5 * * * *", HANGS)
        await loop.quiet()
        await caller.schedule("*/2 * * * *", FINE)
        for _ in range(11):
            clock.advance(MINUTE // 2)
            await loop.quiet()
    assert arrived == [(FINE, 2 * MINUTE), (FINE, 4 * MINUTE), (HANGS, 5 * MINUTE)]


async def test_a_schedule_fires_though_nothing_more_can_be_sent(clock: ManualClock):
    """Attempts that hang take every place, and a schedule makes its message at its time all the same."""

    async def deliver(delivery: Delivery) -> Outcome:
        await asyncio.Event().wait()
        return Outcome(200)

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    start = clock.now_ms()
    async with driven(clock, deliver, limit=2) as caller:
        schedule_id = await caller.schedule("* * * * *", FINE)
        await caller.ask("POST", "/v2/batch", [{"destination": HANGS}] * 2)
        await loop.quiet()
        clock.advance(MINUTE)
        await loop.quiet()
        assert (await caller.read_schedule(schedule_id))["lastScheduleTime"] == start + MINUTE
