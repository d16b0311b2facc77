import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.durability.disk import Disk, compiled


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
def disk(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk under the service's database; every process that is started from here on stands on it."""
    made = Disk(library, tmp_path / "service.db")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found
