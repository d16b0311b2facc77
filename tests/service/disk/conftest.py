import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.postgres import Cluster
from tests.engine.durability.disk import Disk


@pytest.fixture
def disk(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk under the service's database; every process that is started from here on stands on it."""
    made = Disk(library, tmp_path / "service.db")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def cluster_on_disk(library: Path) -> Iterator[tuple[Cluster, Disk]]:
    """A PostgreSQL, and the disk under its tables and temporary files; its log of changes lies on another."""
    # Not under pytest's folder, which the server's user may not enter.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        made, shim = Cluster(folder), folder / library.name
        shutil.copy(library, shim)
        disk = Disk(shim, folder / "database")
        made.environment = {**disk.environment, "FSYNC_SHIM_DATABASE": f"{folder.resolve()}/data/base/"}
        del made.environment["FSYNC_SHIM_MIRROR"]
        try:
            made.start()
            yield made, disk
        finally:
            made.kill()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found
