from collections.abc import AsyncIterator, Iterator

import pytest

from qsops.client import Client, HttpTransport
from qsops.clock import ManualClock, SeededIds
from tests.standins.hosted import HostedQStash


class Waits:
    """A sleep that moves our clock and the stand-in's, and remembers how long it was asked to wait."""

    def __init__(self, clock: ManualClock, hosted: HostedQStash) -> None:
        self._clock = clock
        self._hosted = hosted
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        ms = max(1, round(seconds * 1000))
        self._clock.advance(ms)
        self._hosted.advance(ms)


@pytest.fixture
def hosted() -> Iterator[HostedQStash]:
    with HostedQStash() as server:
        yield server


@pytest.fixture
def clock(hosted: HostedQStash) -> ManualClock:
    """Our clock, set as the stand-in's."""
    return ManualClock(hosted.now_ms)


@pytest.fixture
def waits(clock: ManualClock, hosted: HostedQStash) -> Waits:
    return Waits(clock, hosted)


@pytest.fixture
async def client(hosted: HostedQStash, clock: ManualClock, waits: Waits) -> AsyncIterator[Client]:
    """Our client on a real socket, with a real account's token."""
    made = connect(hosted, clock, waits, hosted.token)
    yield made
    await made.aclose()


def connect(hosted: HostedQStash, clock: ManualClock, waits: Waits, token: str, timeout_s: float = 10.0) -> Client:
    transport = HttpTransport(hosted.url, timeout_s)
    return Client(transport, token, clock=clock, ids=SeededIds(clock), sleep=waits)
