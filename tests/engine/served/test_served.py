import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from aiohttp import web

from qsops.config.dev_users import DEV_USERS
from qsops.engine import texts as own_texts
from qsops.engine.driver import Driver
from qsops.engine.server import serving
from qsops.errors import Corrupt, SettingsError
from tests.engine.served.conftest import Hook, Serve
from tests.standins.processes import ChildProcess


async def test_publish_to_delivered_over_sockets(serve: Serve, hook: Hook):
    """A message leaves at once, a delayed one when it is due, both by the machine's clock."""
    async with serve() as running:
        later = await running.caller.publish(f"{hook.url}/a", b"later", delay="1s")
        now = await running.caller.publish(f"{hook.url}/a", b"now")
        await hook.has(2)
        assert hook.bodies == [b"now", b"later"]
        await running.reaches(later, "DELIVERED")
        assert await running.caller.states(now) == ["CREATED", "ACTIVE", "DELIVERED"]


async def test_a_failed_attempt_is_repeated_in_time(serve: Serve, hook: Hook):
    """The retry comes after the expression's wait; its log reads as it does under the manual clock."""

    async def fail_once(_: web.Request) -> web.Response:
        return web.Response(status=500 if len(hook.bodies) == 1 else 200)

    hook.answer = fail_once
    async with serve() as running:
        message_id = await running.caller.publish(hook.url, retry_delay="50")
        await running.reaches(message_id, "DELIVERED")
        assert await running.caller.states(message_id) == ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]


async def test_deliveries_in_flight_are_bounded(serve: Serve, hook: Hook):
    """Never more than the limit at a time, and the rest follow as those end."""
    now, most = 0, 0
    full, gate = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == 3:
            full.set()
        await gate.wait()
        now -= 1
        return web.Response()

    hook.answer = wait
    async with serve(in_flight_limit=3) as running:
        await running.caller.ask("POST", "/v2/batch", [{"destination": hook.url}] * 20)
        async with asyncio.timeout(10):
            await full.wait()
        gate.set()
        await hook.has(20)
    assert most == 3


async def test_an_idle_engine_does_not_look_at_its_database(serve: Serve, hook: Hook, monkeypatch: pytest.MonkeyPatch):
    """Without polling: with a message due in an hour, the driver looks once for each commit and then sleeps."""
    looks = 0
    original = Driver._turn

    async def counted(driver: Driver) -> float:
        nonlocal looks
        looks += 1
        return await original(driver)

    monkeypatch.setattr(Driver, "_turn", counted)
    async with serve() as running:
        await running.caller.publish(hook.url, delay="1h")
        await asyncio.sleep(0)
        before = looks
        for _ in range(10):
            await running.caller.ask("GET", "/v2/keys")
        assert looks - before <= 1


async def test_a_stop_waits_for_what_is_in_flight(serve: Serve, hook: Hook, tmp_path: Path):
    """An attempt under way is seen to its end and settled; nothing of it is repeated by the next start."""
    gate = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await gate.wait()
        return web.Response()

    hook.answer = wait
    async with serve(tmp_path / "engine.db") as running:
        message_id = await running.caller.publish(hook.url)
        await hook.has(1)
        asyncio.get_running_loop().call_later(0.2, gate.set)
    async with serve(tmp_path / "engine.db") as running:
        assert await running.caller.states(message_id) == ["CREATED", "ACTIVE", "DELIVERED"]
    assert len(hook.bodies) == 1


async def test_a_stop_gives_up_what_takes_too_long(
    serve: Serve, hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What outlasts the grace is an attempt of unknown outcome: the next start repeats it under the same id."""
    monkeypatch.setattr("qsops.engine.server.STOP_GRACE_S", 0.1)
    gate = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await gate.wait()
        return web.Response()

    hook.answer = wait
    async with serve(tmp_path / "engine.db") as running:
        message_id = await running.caller.publish(hook.url)
        await hook.has(1)
    gate.set()
    async with serve(tmp_path / "engine.db") as running:
        await running.reaches(message_id, "DELIVERED")
        assert await running.caller.states(message_id) == ["CREATED", "ACTIVE", "ACTIVE", "DELIVERED"]
    assert hook.ids == [message_id, message_id]


async def test_the_keys_after_a_restart_are_the_published_pair(serve: Serve, tmp_path: Path):
    """What the JavaScript SDK probes for, whatever was rotated before."""
    keys = DEV_USERS[0].keys
    for _ in range(2):
        async with serve(tmp_path / "engine.db") as running:
            assert (await running.caller.ask("GET", "/v2/keys")).json == {"current": keys.current, "next": keys.next}
            await running.caller.ask("POST", "/v2/keys/rotate")


async def test_a_taken_port_is_named():
    """One line with the port and what to do."""
    async with serving() as first:
        with pytest.raises(SettingsError, match=f"port: {first.port} on 127.0.0.1 is taken"):
            async with serving(port=first.port):
                pass


async def test_a_second_engine_on_one_file_is_refused(tmp_path: Path):
    """Two would deliver everything twice; once the first has ended the file is free."""
    async with serving(db=tmp_path / "engine.db"):
        with pytest.raises(SettingsError, match="another engine runs on"):
            async with serving(db=tmp_path / "engine.db"):
                pass
    async with serving(db=tmp_path / "engine.db"):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_only_loopback_is_served(host: str):
    """The tokens are public, so unless it has one of its own no other machine gets to use it."""
    with pytest.raises(SettingsError, match="is not loopback"):
        async with serving(host):
            pass


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    """Not overwritten, and named."""
    (tmp_path / "engine.db").write_text("a letter to my aunt" * 100)
    with pytest.raises(Corrupt, match=r"engine\.db"):
        async with serving(db=tmp_path / "engine.db"):
            pass
    assert (tmp_path / "engine.db").read_text().startswith("a letter")


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path):
    """An older engine does not touch what it does not understand."""
    async with serving(db=tmp_path / "engine.db"):
        pass
    with sqlite3.connect(tmp_path / "engine.db") as connection:
        connection.execute("pragma user_version = 999")
    connection.close()
    with pytest.raises(Corrupt, match="999"):
        async with serving(db=tmp_path / "engine.db"):
            pass


async def test_text_beyond_ascii_arrives_in_headers(serve: Serve, hook: Hook):
    """A forwarded header in UTF-8 leaves as it came, byte for byte."""
    values: list[str] = []

    async def look(request: web.Request) -> web.Response:
        values.extend(value.decode() for name, value in request.raw_headers if name.lower() == b"x-mood")
        return web.Response()

    hook.answer = look
    async with serve() as running:
        await running.caller.ask("POST", f"/v2/publish/{hook.url}", b"", {"Upstash-Forward-X-Mood": "über 🎉"})
        await hook.has(1)
    assert values == ["über 🎉"]


async def test_a_fault_of_ours_ends_the_engine(serve: Serve, hook: Hook, monkeypatch: pytest.MonkeyPatch):
    """An attempt that cannot be settled for a reason we did not foresee is not repeated for ever."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("qsops.engine.recorder.settle", broken)

    async def run() -> None:
        async with asyncio.timeout(10), serve() as running:
            await running.caller.publish(hook.url)
            await running.server.stopped()

    with pytest.raises(ZeroDivisionError, match="ours"):
        await run()
    assert len(hook.bodies) == 1


async def test_a_fault_of_ours_is_answered_as_json(serve: Serve, monkeypatch: pytest.MonkeyPatch):
    """Clients read every answer as JSON, a 500 too."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("qsops.engine.face.router.Face.handle", broken)
    async with serve() as running:
        answer = await running.caller.ask("GET", "/v2/keys")
        assert (answer.status, answer.error) == (500, own_texts.INTERNAL_ERROR)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_process_in_order(tmp_path: Path, name: str):
    """The port file appears when requests are answered; a signal ends it with status 0."""
    program = """
import sys
from pathlib import Path
from qsops.engine.server import serve, serving
serve(
    serving(port=0, db=sys.argv[1], processes=2),
    port_file=Path(sys.argv[2]),
    on_ready=lambda url: print("ready", url, flush=True),
)
print("ended", flush=True)
"""
    port_file = tmp_path / "port"
    command = [sys.executable, "-c", program, str(tmp_path / "engine.db"), str(port_file)]
    project = Path(__file__).parents[3]
    with ChildProcess(command, cwd=tmp_path, environment={"PYTHONPATH": str(project)}) as child:
        url = child.wait_for_line(r"ready (\S+)")[1]
        assert url == f"http://127.0.0.1:{port_file.read_text().strip()}"
        os.kill(child.pid, signal.Signals[name])
        child.wait_for_line("ended")
