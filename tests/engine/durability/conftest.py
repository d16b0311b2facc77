from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.durability.disk import Disk
from tests.engine.durability.engine import EngineProcess
from tests.engine.durability.receiver import Receiver, receiving, welcome

Start = Callable[[], EngineProcess]


@pytest.fixture
def disk(library: Path, tmp_path: Path) -> Disk:
    return Disk(library, tmp_path / "engine.db")


@pytest.fixture
def start(disk: Disk, tmp_path: Path) -> Iterator[Start]:
    """Start an engine on the disk; it is ended with the test."""
    started: list[EngineProcess] = []

    def start() -> EngineProcess:
        started.append(EngineProcess(tmp_path / "engine.db", environment=disk.environment))
        return started[-1]

    yield start
    for engine in started:
        engine.terminate()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(welcome) as receiver:
        yield receiver
