import pytest

from qsops.client import Client
from qsops.clock import ManualClock, SeededIds
from tests.client.fake_qstash import TOKEN, FakeQStash


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def qstash(clock: ManualClock) -> FakeQStash:
    return FakeQStash(clock)


@pytest.fixture
def client(qstash: FakeQStash, clock: ManualClock) -> Client:
    """A client whose waits move the clock."""

    async def sleep(seconds: float) -> None:
        clock.advance(round(seconds * 1000))

    return Client(qstash, TOKEN, clock=clock, ids=SeededIds(clock), sleep=sleep)
