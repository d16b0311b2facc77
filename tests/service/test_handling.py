"""How long a handler may take, and how many there may be."""

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from qsops.clock import ManualClock
from qsops.errors import SettingsError
from service.consumer import BUSY
from service.errors import HandlerStuck, HandlerTimeout, NoThread
from service.processing import BlockingTransaction, Delivery, Event, Runner, Transaction
from service.processing.conversations import handle_incoming_messaging_event
from service.processing.handler import _never_waits, patience_s
from service.processing.tasks import Tasks
from service.processing.threads import Threads
from service.store import SqliteStore
from service.tally import DELIVERIES
from tests.service.handlers import NOTE, as_object, note, waiting
from tests.service.rig import close, event_of, make_rig
from tests.service.virtual import advance, run

EVENT = event_of("message", "m", 1)
SOON = Delivery(timeout_s=1)
RELEASED = asyncio.Event()


async def never(event: Event, tx: Transaction) -> None:
    tx.execute(NOTE, note(event, "never"))
    await asyncio.Event().wait()


async def slow_once(event: Event, tx: Transaction) -> None:
    if event.payload["message"]["mid"] == "slow":
        await asyncio.sleep(5)
    tx.execute(NOTE, note(event, "done"))


async def stubborn(event: Event, tx: Transaction) -> None:
    """Keeps what cancels it, as ``except BaseException`` in somebody's loop does, until RELEASED."""
    while not RELEASED.is_set():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await RELEASED.wait()
    tx.execute(NOTE, note(event, "too late"))


async def slow_to_end(event: Event, tx: Transaction) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.5)


async def cancelled_by_itself(event: Event, tx: Transaction) -> None:
    task = asyncio.ensure_future(asyncio.Event().wait())
    task.cancel()
    await task


async def its_own_timeout(event: Event, tx: Transaction) -> None:
    raise TimeoutError


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.message) for record in caplog.records]


def test_a_handler_that_never_returns_is_cut_off(caplog: pytest.LogCaptureFixture):
    """It is cancelled before QStash's patience ends, so that our answer is heard: 503, to be retried on the curve."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock, qsops_handler="tests.service.test_handling:never")
        under_way = asyncio.create_task(rig.deliver(rig.event(), retried=1))
        await advance(clock, 27_999)
        assert not under_way.done()
        await advance(clock, 1)
        answer = await under_way
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "148")
        assert (await rig.count("claims"), await rig.count("other_events")) == (0, 0)
        await rig.http.aclose()
        await rig.service.aclose()

    with caplog.at_level(logging.INFO, logger="service"):
        run(main)
    assert [(line["outcome"], line["ms"]) for line in lines(caplog) if line["log"] == "delivery"] == [
        ("timeout", 28_000.0)
    ]


def test_a_handler_that_swallows_its_cancellation_is_answered_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """It goes on, unwaited for: QStash is answered in time all the same, and what it does later takes no effect."""

    async def main(clock: ManualClock) -> None:
        monkeypatch.setattr(sys.modules[__name__], "RELEASED", asyncio.Event())
        rig = make_rig(clock, qsops_handler="tests.service.test_handling:stubborn")
        under_way = asyncio.create_task(rig.deliver(rig.event()))
        await advance(clock, 28_999)
        assert not under_way.done()
        await advance(clock, 1)
        assert (await under_way).status_code == 503
        assert rig.service.tally.counts(DELIVERIES) == {"timeout": 1}
        RELEASED.set()
        await advance(clock, 1)
        assert (await rig.count("claims"), await rig.count("other_events")) == (0, 0)
        await close(rig)

    with caplog.at_level(logging.INFO, logger="service"):
        run(main)
    told = [line for line in lines(caplog) if line["log"] == "delivery"]
    assert [(line["outcome"], line["error"], line["ms"]) for line in told] == [("timeout", "HandlerStuck", 29_000.0)]


def test_a_handler_that_is_slow_to_end_has_a_moment(caplog: pytest.LogCaptureFixture):
    """What it has to put away when it is cut off, it may."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock, qsops_handler="tests.service.test_handling:slow_to_end")
        under_way = asyncio.create_task(rig.deliver(rig.event()))
        await advance(clock, 28_500)
        assert (await under_way).status_code == 503
        await close(rig)

    with caplog.at_level(logging.INFO, logger="service"):
        run(main)
    assert [line["error"] for line in lines(caplog) if line["log"] == "delivery"] == ["HandlerTimeout"]


async def loops(event: Event, tx: Transaction) -> None:
    async for _ in tx:  # type: ignore[attr-defined]
        pass


async def enters(event: Event, tx: Transaction) -> None:
    async with tx:  # type: ignore[attr-defined]
        pass


async def gathers(event: Event, tx: Transaction) -> None:
    _ = [text async for text in tx]  # type: ignore[attr-defined]


@pytest.mark.parametrize("handler", [never, stubborn, loops, enters, gathers, waiting, as_object, partial(never)])
def test_whatever_could_wait_is_watched(handler: Any):
    """Only a handler in which nothing awaits goes without a task and a timer of its own: that one cannot be late."""
    assert not _never_waits(handler)
    assert _never_waits(its_own_timeout)
    assert _never_waits(handle_incoming_messaging_event)


async def test_handlers_that_go_on_are_bounded():
    """Each holds its memory and whatever it waits for: there is an end to it, and it is over when they end."""
    released, tasks = asyncio.Event(), Tasks(limit=2)

    async def stays() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("nobody hears it")

    for _ in range(2):
        assert not tasks.exhausted
        with pytest.raises(HandlerStuck):
            await tasks.run(stays(), 0, 0)
    assert tasks.exhausted
    released.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not tasks.exhausted


async def test_beside_too_many_that_go_on_none_is_begun(monkeypatch: pytest.MonkeyPatch):
    """The delivery is told to come again, as where no thread is free."""
    runner = Runner(never, SqliteStore(":memory:"))
    monkeypatch.setattr(runner, "_tasks", Tasks(limit=0))
    with pytest.raises(NoThread):
        await runner.run(EVENT, SOON)


async def test_a_delivery_that_is_cancelled_takes_its_handler_along():
    """Who ends the server's own task ends what runs for it."""
    ended, tasks = asyncio.Event(), Tasks()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.create_task(tasks.run(waits(), 60, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await ended.wait()


async def test_a_cancellation_of_the_handlers_own_is_a_failure():
    """It is an answer to QStash like any other fault, and no end of the server's task."""
    rig = make_rig(qsops_handler="tests.service.test_handling:cancelled_by_itself")
    answer = await rig.deliver(rig.event())
    assert (answer.status_code, answer.json()) == (500, {"error": "the handler failed: HandlerCancelled"})
    await close(rig)


def test_a_handler_that_waits_holds_up_nobody():
    """While it waits it holds no lock: deliveries and posts of others are answered without the clock moving."""

    async def main(clock: ManualClock) -> None:
        rig = make_rig(clock, qsops_handler="tests.service.test_handling:slow_once")
        slow = asyncio.create_task(rig.deliver(rig.event(mid="slow")))
        await advance(clock, 10)
        before_ms = clock.now_ms()
        others = await asyncio.gather(*(rig.deliver(rig.event(mid=f"m-{n}")) for n in range(20)))
        assert {answer.status_code for answer in others} == {200}
        assert (await rig.post_sample("message", "mid-9")).status_code == 200
        assert (clock.now_ms(), slow.done()) == (before_ms, False)
        await advance(clock, 5_000)
        assert (await slow).json() == {"status": "processed"}
        await rig.http.aclose()
        await rig.service.aclose()

    run(main)


def test_as_many_deliveries_as_allowed_and_no_more():
    """One more than QSOPS_CONCURRENCY is 503 at once, on the curve, and is taken when there is room again."""

    async def main(clock: ManualClock) -> None:
        told = {"qsops_handler": "tests.service.test_handling:slow_once", "qsops_concurrency": 1}
        rig = make_rig(clock, **told)
        slow = asyncio.create_task(rig.deliver(rig.event(mid="slow")))
        await advance(clock, 10)
        answer = await rig.deliver(rig.event(mid="m-2"))
        assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (503, "12", {"error": BUSY})
        await advance(clock, 5_000)
        assert (await slow).status_code == 200
        assert (await rig.deliver(rig.event(mid="m-2"), retried=1)).json() == {"status": "processed"}
        await rig.http.aclose()
        await rig.service.aclose()

    run(main)


async def test_a_timeout_of_the_handlers_own_is_a_failure():
    """Only our own limit is a timeout; a handler whose call to somebody timed out has failed."""
    with pytest.raises(TimeoutError):
        await Runner(its_own_timeout, SqliteStore(":memory:")).run(EVENT, Delivery())


@pytest.mark.parametrize(("timeout_s", "limit_s"), [(30, 28), (900, 898), (10, 8), (5, 4), (1, 0.8)])
def test_the_margin(timeout_s: int, limit_s: float):
    """Two seconds of QStash's patience are for the commit and the way back, of a short one a fifth."""
    assert patience_s(timeout_s) == limit_s


class Gate:
    """Blocking handlers that are held until they are let go."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.late: list[BlockingTransaction] = []

    def __call__(self, event: Event, tx: BlockingTransaction) -> None:
        self.entered.release()
        self.open.wait()
        tx.execute(NOTE, note(event, "late"))
        self.late.append(tx)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # a thread brings it about, which knows no event of the loop
        await asyncio.sleep(0)


async def test_a_blocking_handler_that_never_returns_is_given_up():
    """Its thread is lost until it returns; when all are, a delivery is refused at once instead of waiting in line."""
    gate, threads = Gate(), Threads(1)
    runner = Runner(gate, SqliteStore(":memory:"), threads)
    with pytest.raises(HandlerTimeout):
        await runner.run(EVENT, SOON)
    assert threads.exhausted
    with pytest.raises(NoThread):
        await runner.run(EVENT, Delivery(timeout_s=10_000))
    gate.open.set()
    await until(lambda: not threads.exhausted)
    assert (await runner.run(EVENT, SOON)).statements
    runner.close()


async def test_a_delivery_that_waits_in_line_too_long_has_not_run():
    """What never got a thread is dropped from the line: it must not run when nobody waits for it any more."""
    gate, threads = Gate(), Threads(1)
    runner = Runner(gate, SqliteStore(":memory:"), threads)
    first = asyncio.create_task(runner.run(EVENT, Delivery(timeout_s=10_000)))
    await until(lambda: gate.entered.acquire(blocking=False))
    with pytest.raises(NoThread):
        await runner.run(EVENT, SOON)
    gate.open.set()
    assert (await first).statements
    runner.close()
    assert len(gate.late) == 1


async def test_threads_are_started_as_needed_and_no_more():
    """Jobs beyond the threads wait in line; threads that are idle are used again."""
    threads, gate = Threads(2), threading.Event()
    jobs = [threads.submit(lambda: (gate.wait(), threading.current_thread().name)[1]) for _ in range(5)]
    gate.set()
    assert len({job.result() for job in jobs}) <= 2
    threads.shutdown()


async def test_what_a_blocking_handler_raises_comes_through():
    """As from one that waits."""

    def broken(event: Event, tx: BlockingTransaction) -> None:
        raise SettingsError("no")

    runner = Runner(broken, SqliteStore(":memory:"))
    with pytest.raises(SettingsError):
        await runner.run(EVENT, Delivery())
    runner.close()
