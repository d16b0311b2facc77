import pytest

from qsops.client import Client
from qsops.clock import EPOCH_MS, ManualClock, SeededIds
from qsops.models import LogEntry
from tests.trace.listing import Listing


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(EPOCH_MS)


@pytest.fixture
def listing() -> Listing:
    """A service that lists the entries it is given."""
    return Listing()


@pytest.fixture
def client(listing: Listing, clock: ManualClock) -> Client:
    async def sleep(seconds: float) -> None:
        listing.waited_s.append(seconds)
        clock.advance(round(seconds * 1000))

    return Client(listing, "token", clock=clock, ids=SeededIds(clock), sleep=sleep)


@pytest.fixture
def story() -> list[LogEntry]:
    """A message that failed, waited 12 s and was delivered, in the service's order."""
    at = EPOCH_MS
    return [
        LogEntry(at, "msg_1", "CREATED", url="https://one.example"),
        LogEntry(at + 1, "msg_1", "ACTIVE", url="https://one.example"),
        LogEntry(at + 9, "msg_1", "ERROR", url="https://one.example", response_status=500, error="broken"),
        LogEntry(at + 9, "msg_1", "RETRY", url="https://one.example", next_delivery_ms=at + 12_009),
        LogEntry(at + 12_009, "msg_1", "ACTIVE", url="https://one.example"),
        LogEntry(at + 12_049, "msg_1", "DELIVERED", url="https://one.example", response_status=200),
    ]
