"""How long a handler may take, and how many there may be."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from qsops.clock import ManualClock
from qsops.errors import SettingsError
from service.consumer import BUSY
from service.errors import HandlerTimeout, NoThread
from service.processing import BlockingTransaction, Delivery, Event, Runner, Transaction
from service.processing.handler import patience_s
from service.processing.threads import Threads
from service.store import SqliteStore
from tests.service.handlers import NOTE, note
from tests.service.rig import event_of, make_rig
from tests.service.virtual import advance, run

EVENT = event_of("message", "m", 1)
SOON = Delivery(timeout_s=1)


async def never(event: Event, tx: Transaction) -> None:
    tx.execute(NOTE, note(event, "never"))
    await asyncio.Event().wait()


async def slow_once(event: Event, tx: Transaction) -> None:
    if event.payload["message"]["mid"] == "slow":
        await asyncio.sleep(5)
    tx.execute(NOTE, note(event, "done"))


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
