"""Deliveries from a process of their own: one suite for both kinds of couriers, and what only a process can do: die."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from qsops import signing
from qsops.clock import SystemClock, SystemIds
from qsops.engine.apart.courier import CourierApart
from qsops.engine.apart.frames import Frames, errands_frame, errands_of, outcomes_frame, outcomes_of
from qsops.engine.core.attempts import Attempt, Outcome
from qsops.engine.courier import Carries, Courier
from qsops.engine.deliveries.places import Places
from qsops.engine.deliveries.socket import SocketDeliveries
from qsops.engine.engine import Engine, open_engine
from qsops.engine.errands import Errand
from qsops.errors import QsopsError
from qsops.models import KeyPair, Message
from tests.engine.served.conftest import BOUND_S, Hook, Serve

KEY = "sig_current"


@pytest.fixture
def engine() -> AsyncIterator[Engine]:
    clock = SystemClock()
    engine = open_engine(":memory:", clock=clock, ids=SystemIds(clock), quota="payg", wake=lambda: None)
    yield engine
    engine.database.close()


@asynccontextmanager
async def here(engine: Engine) -> AsyncIterator[Carries]:
    async with SocketDeliveries(8, Places(engine.reachable)) as deliver:
        yield Courier(engine, deliver)


@asynccontextmanager
async def apart(engine: Engine) -> AsyncIterator[Carries]:
    async with here(engine) as at_home, CourierApart(engine, 8, at_home) as courier:
        yield courier


def attempt(url: str, body: bytes = b"", *, number: int = 1, timeout_s: int | None = None) -> Attempt:
    message = Message(f"msg_{number}", url, 1, 1, body=body, timeout_s=timeout_s, headers=(("X-Own", "ü"),))
    return Attempt(number, 1, 1, message, retried=2, key=KEY)


async def carried(courier: Carries, one: Attempt) -> Outcome:
    async with asyncio.timeout(BOUND_S):
        return await courier.carry(one)


@pytest.mark.parametrize("kind", [here, apart])
async def test_an_attempt_arrives_signed(engine: Engine, hook: Hook, kind):
    """Whichever process delivers: method, headers and body arrive, signed for this URL with the key of the attempt."""
    seen: list[web.BaseRequest] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(status=203, text="ok", headers={"X-Answer": "ä"})

    hook.answer = answer
    async with kind(engine) as courier:
        outcome = await carried(courier, attempt(hook.url + "/a%7Eb?c", b"\x00\xff"))
    assert (outcome.status, outcome.body, outcome.error) == (203, b"ok", None)
    assert ("X-Answer", "ä") in outcome.headers
    headers = seen[0].headers
    assert (headers["Upstash-Message-Id"], headers["Upstash-Retried"], headers["X-Own"]) == ("msg_1", "2", "ü")
    signing.verify(
        headers["Upstash-Signature"],
        keys=KeyPair(KEY),
        body=b"\x00\xff",
        url=hook.url + "/a%7Eb?c",
        now_s=engine.clock.now_ms() / 1000,
    )


@pytest.mark.parametrize("kind", [here, apart])
async def test_each_attempt_has_its_own_outcome(engine: Engine, hook: Hook, kind):
    """However many are under way at a time, small and large, each is sent once and told what came of it alone."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=request.path.encode())

    hook.answer = answer
    async with kind(engine) as courier:
        attempts = [attempt(f"{hook.url}/{n}", b"x" * (n % 7) * 100_000, number=n) for n in range(100)]
        outcomes = await asyncio.gather(*(carried(courier, one) for one in attempts))
    assert [outcome.body for outcome in outcomes] == [b"/%d" % n for n in range(100)]
    assert len(hook.bodies) == 100
    assert sorted(map(len, hook.bodies)) == sorted(len(one.message.body) for one in attempts)


@pytest.mark.parametrize("kind", [here, apart])
async def test_what_fails_is_an_outcome(engine: Engine, hook: Hook, kind):
    """A destination that hangs, refuses, or must not be called is an outcome with a reason."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    hook.answer = answer
    async with kind(replace(engine, reachable=())) as courier:
        assert "destination refused" in ((await carried(courier, attempt(hook.url))).error or "")
    async with kind(engine) as courier:
        assert "Connect" in ((await carried(courier, attempt("http://127.0.0.1:1/"))).error or "")
        assert "timeout" in ((await carried(courier, attempt(hook.url, timeout_s=1))).error or "")


async def test_what_a_process_held_as_it_died_has_no_outcome(engine: Engine, hook: Hook, caplog):
    """Nobody knows what came of it, so it is neither delivered nor failed; the next attempt starts another process."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    hook.answer = answer
    async with here(engine) as at_home, CourierApart(engine, 8, at_home) as courier:
        held = asyncio.ensure_future(courier.carry(attempt(hook.url)))
        await hook.has(1)
        assert courier.process_id is not None
        os.kill(courier.process_id, signal.SIGKILL)
        async with asyncio.timeout(BOUND_S):
            await asyncio.wait([held])
        assert held.cancelled()
        assert "1 attempt is made again" in caplog.text
        hook.answer = None
        assert (await carried(courier, attempt(hook.url))).delivered


@dataclass
class Births:
    """As many processes as there are letters in ``file`` are killed before they greet."""

    file: Path

    def doom(self, count: int) -> None:
        self.file.write_text("x" * count)

    @property
    def doomed(self) -> int:
        return self.file.stat().st_size


@pytest.fixture
def births(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Births:
    births, program = tmp_path / "births", tmp_path / "python"
    program.write_text(
        f"""#!/bin/sh
[ -s {births} ] || exec {sys.executable} "$@"
truncate -s -1 {births}
kill -9 $$
"""
    )
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    return Births(births)


async def test_a_process_that_is_killed_before_its_greeting_is_started_again(
    engine: Engine, hook: Hook, births: Births
):
    """Whoever waits for it is delivered by the next that lives, and sent once."""
    births.doom(2)
    async with here(engine) as at_home, CourierApart(engine, 8, at_home) as courier:
        assert (await carried(courier, attempt(hook.url))).delivered
    assert hook.ids == ["msg_1"]


async def test_a_process_that_never_starts_is_told(engine: Engine, hook: Hook, births: Births):
    """It spends no message's retries: after a few tries the engine ends, in a line that says why and what to do."""
    births.doom(100)
    async with here(engine) as at_home, CourierApart(engine, 8, at_home) as courier:
        for _ in range(2):
            with pytest.raises(QsopsError, match=r"does not start \(signal 9, 5 times in a row\).*--processes 1"):
                await carried(courier, attempt(hook.url))
    assert births.doomed == 95, "no process is started for each message"


async def test_a_process_that_dies_of_its_errand_does_not_spin(engine: Engine, hook: Hook, caplog):
    """Each one after the first is started later than the one before, and said to be."""
    couriers: list[CourierApart] = []

    async def answer(request: web.Request) -> web.Response:
        process_id = couriers[0].process_id
        assert process_id is not None
        os.kill(process_id, signal.SIGKILL)
        await asyncio.Event().wait()
        return web.Response()

    hook.answer = answer
    async with here(engine) as at_home, CourierApart(engine, 8, at_home) as courier:
        couriers.append(courier)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                with pytest.raises(asyncio.CancelledError):
                    await carried(courier, attempt(hook.url))
            hook.answer = None
            assert (await carried(courier, attempt(hook.url))).delivered
    pauses = [record.args[1] for record in caplog.records if record.args and "another one" in record.msg]
    assert pauses == [0.1, 0.2, 0.4]


async def test_faults_are_met_at_home(engine: Engine, hook: Hook):
    """As long as a fault of deliveries is in force, or will be, attempts are made where it is known."""
    async with here(engine) as at_home, CourierApart(engine, 8, at_home) as courier:
        for fault in ("503 100%", "503 from=1h", "latency=1ms for=1h"):
            engine.faults.add(fault)
            own = asyncio.ensure_future(courier.carry(attempt(hook.url)))
            assert isinstance(own, asyncio.Task), "a task of this process, not a number of the other"
            await own
            engine.faults.clear()
            assert (await carried(courier, attempt(hook.url))).delivered


async def test_other_faults_leave_deliveries_where_they_are(engine: Engine, hook: Hook):
    """A fault of the engine meets no delivery, nor does one whose time is over: the other process goes on."""
    async with here(engine) as at_home, CourierApart(engine, 8, at_home) as courier:
        await carried(courier, attempt(hook.url))
        engine.faults.add("engine 500")
        engine.faults.add("503 for=1ms").set_at_ms -= 1
        own = courier.carry(attempt(hook.url))
        assert not isinstance(own, asyncio.Task), "a task of this process"
        assert (await own).delivered


async def test_a_served_engine_delivers_from_either(serve: Serve, hook: Hook):
    """From one process or from two, a message is delivered, and the log tells the same."""
    for processes in (1, 2):
        async with serve(processes=processes) as running:
            message_id = await running.caller.publish(hook.url, b"%d" % processes)
            await running.reaches(message_id, "DELIVERED")
            assert await running.caller.states(message_id) == ["CREATED", "ACTIVE", "DELIVERED"]
    assert hook.bodies == [b"1", b"2"]


def test_frames_come_out_as_they_went_in():
    """Whatever pieces the socket makes of them, frames are whole; a key is never shown."""
    errands = [(7, Errand(KEY, "POST", "https://a.test", (("A", "ü"),), b"\x00" * 9, 2.5)), (8, Errand(*"kmuhb", 1))]
    outcomes = [(7, Outcome(500, (("B", "c"),), b"why")), (8, Outcome(error="gone"))]
    stream = errands_frame(errands) + outcomes_frame(outcomes)
    frames, contents = Frames(), []
    for start in range(0, len(stream), 5):
        contents += frames.feed(stream[start : start + 5])
    assert len(contents) == 2
    assert errands_of(contents[0]) == errands
    assert outcomes_of(contents[1]) == outcomes
    assert KEY not in repr(errands)
