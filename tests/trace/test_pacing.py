import pytest

from qsops.client import Client
from qsops.clock import EPOCH_MS
from qsops.models import Headers, LogEntry, LogFilter
from qsops.trace import pull
from tests.trace.listing import Listing


def burst(remaining: int, reset_in_s: float, limit: int = 10) -> Headers:
    return (
        ("Burst-RateLimit-Limit", str(limit)),
        ("Burst-RateLimit-Remaining", str(remaining)),
        ("Burst-RateLimit-Reset", str(EPOCH_MS // 1000 + reset_in_s)),
    )


@pytest.mark.parametrize(
    ("headers", "waited_s"),
    [
        ((), []),
        (burst(9, 1), []),
        (burst(0, 1), [1.0]),
        (burst(0, 0), []),
        (burst(0, 3600, limit=1), [1.0, 1.0, 1.0]),
    ],
    ids=["no limit told", "some left", "none left", "reset is past", "a clock set wrong"],
)
async def test_a_pull_waits_before_it_is_told_to(
    client: Client, listing: Listing, headers: Headers, waited_s: list[float]
):
    """When an answer says that no request is left in this second, the next one waits for the reset, at most 1 s."""
    listing.entries = [LogEntry(EPOCH_MS + n, "msg_1", "ACTIVE", url="u") for n in range(8)]
    listing.page, listing.headers = 2, headers
    assert len(await pull(client, LogFilter())) == 8
    assert listing.waited_s == waited_s
