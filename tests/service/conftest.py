from collections.abc import AsyncIterator

import pytest

from tests.service.rig import Rig, close, make_rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = make_rig()
    yield rig
    await close(rig)
