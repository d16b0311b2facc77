from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.store import SqliteStore, Store
from tests.service.rig import Rig, close, make_rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = make_rig()
    yield rig
    await close(rig)


@pytest.fixture(params=["memory", "file"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Every implementation of the port; the next one is one more name here."""
    store = SqliteStore(":memory:" if request.param == "memory" else tmp_path / "service.db")
    yield store
    await store.aclose()
