import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qsops.cli.app import app
from qsops.clock import SystemClock
from qsops.engine.server import Server, serving

Run = Callable[..., Result]
BOUND_S = 60


def until(reached: Callable[[], bool]) -> None:
    """Ask until it is so."""
    clock = SystemClock()
    ends_s = clock.monotonic_s() + BOUND_S
    while not reached():
        assert clock.monotonic_s() < ends_s, f"it was not so within {BOUND_S} s"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, in which the command is run."""
    (tmp_path / "qsops.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    """Run the command line with these arguments, inside this process."""
    return lambda *arguments, **more: CliRunner().invoke(app, list(arguments), prog_name="qsops", **more)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An engine on a free port, which is this machine's ``local``."""
    started: Future[tuple[Server, asyncio.AbstractEventLoop]] = Future()

    async def answer() -> None:
        async with serving() as server:
            started.set_result((server, asyncio.get_running_loop()))
            await server.stopped()

    thread = threading.Thread(target=asyncio.run, args=(answer(),))
    thread.start()
    server, loop = started.result(BOUND_S)
    monkeypatch.setenv("QSTASH_DEV_PORT", str(server.port))
    yield server
    loop.call_soon_threadsafe(server.stop)
    thread.join(BOUND_S)
    assert not thread.is_alive()
