from collections import Counter

import pytest

from qsops.client import Client
from qsops.clock import EPOCH_MS, ManualClock
from qsops.models import Headers, LogEntry, LogFilter
from qsops.trace import pull
from qsops.wire.failures import BurstLimit, burst_headers
from tests.trace.listing import Listing


@pytest.fixture
def listing() -> Listing:
    """Of four pages."""
    return Listing([LogEntry(EPOCH_MS + n, "msg_1", "ACTIVE", url="u") for n in range(8)], page=2)


async def test_a_service_without_a_limit_is_not_waited_for(client: Client, listing: Listing):
    """Who tells of no limit has none."""
    assert len(await pull(client, LogFilter())) == 8
    assert listing.waited_s == []


@pytest.mark.parametrize("ahead_s", [0, 3_600, -86_400])
@pytest.mark.parametrize(("limit", "waited_s"), [(10, []), (2, [1.0]), (1, [1.0, 1.0, 1.0])])
async def test_a_pull_waits_before_it_is_told_to(
    client: Client, clock: ManualClock, listing: Listing, limit: int, waited_s: list[float], ahead_s: int
):
    """When no request is left in a second, the next one waits for its end, whatever the service's clock shows."""
    counts: Counter[int] = Counter()

    def counted() -> Headers:
        second = clock.now_ms() // 1000 + ahead_s
        counts[second] += 1
        return burst_headers(BurstLimit(limit, max(0, limit - counts[second]), second + 1))

    listing.headers = counted
    assert len(await pull(client, LogFilter())) == 8
    assert listing.waited_s == waited_s
    assert max(counts.values()) <= limit


@pytest.mark.parametrize("reset_in_s", [-3_600, 0, 1, 3_600])
async def test_a_reset_that_stands_still_makes_no_pull_stand_still(client: Client, listing: Listing, reset_in_s: int):
    """A service that always tells the same is asked once a second, since that is what the limit is about."""
    always = burst_headers(BurstLimit(10, 0, EPOCH_MS // 1000 + reset_in_s))
    listing.headers = lambda: always
    assert len(await pull(client, LogFilter())) == 8
    assert listing.waited_s == [1.0, 1.0, 1.0]
