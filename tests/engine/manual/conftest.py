import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from qsops.clock import ManualClock
from qsops.engine.embedded import Embedded
from qsops.engine.virtual import VirtualLoop
from tests.engine.caller import Caller


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test of this folder runs on a loop whose time is a manual clock's."""
    return {"virtual": lambda: VirtualLoop(ManualClock())}


@pytest.fixture
async def clock() -> ManualClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.clock


@pytest.fixture
async def engine(clock: ManualClock) -> AsyncIterator[Embedded]:
    engine = Embedded(clock=clock)
    yield engine
    await engine.aclose()


@pytest.fixture
async def caller(engine: Embedded) -> Caller:
    return Caller(engine.send)
