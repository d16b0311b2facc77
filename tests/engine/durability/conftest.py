import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.durability.disk import Disk, compiled
from tests.engine.durability.engine import EngineProcess
from tests.engine.durability.receiver import Receiver, receiving, welcome

Start = Callable[[], EngineProcess]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the failing disks out on request; where there is no cc to make them they fail, and say what to do."""
    if os.environ.get("QSOPS_TESTS_WITHOUT_CC") != "1":
        return
    left_out = [item for item in items if "library" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("shim"))


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
