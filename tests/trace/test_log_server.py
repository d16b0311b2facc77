"""Pulling over sockets, from a service that has many pages and bad days: everything, once, and within its limits."""

import pytest

from qsops import frames
from qsops.client import Client, HttpTransport
from qsops.clock import EPOCH_MS, ManualClock, SeededIds
from qsops.models import LogFilter
from qsops.trace import pull_tables
from qsops.trace.walking import AT_ONCE
from tests.logserver import TOKEN, Faults, Log, LogServer, Settings, written


@pytest.fixture(scope="module")
def log() -> Log:
    return written(11, 6_000, twins=0.02, late=0.05)


async def pulled(server: LogServer, clock: ManualClock, which: LogFilter, bodies: bool = False) -> tuple[object, int]:
    """What a client finds that shares its clock with the limit, and how often it waited."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(max(1, round(seconds * 1000)))

    client = Client(HttpTransport(server.url, 10.0), TOKEN, clock=clock, ids=SeededIds(clock), sleep=sleep)
    try:
        return frames.logs_of(await pull_tables(client, which, bodies=bodies), bodies=bodies), len(waits)
    finally:
        await client.aclose()


@pytest.mark.parametrize(
    ("paths", "page"), [(("/v2/events", "/v2/logs"), 200), (("/v2/logs",), None)], ids=["events", "logs"]
)
async def test_a_pull_is_whole_and_within_the_limit(log: Log, paths: tuple[str, ...], page: int | None):
    """Whatever shape is served, row for row; no second has more requests than the service allows, faults or not."""
    clock = ManualClock(EPOCH_MS)
    faults = Faults(1, refused=0.03, lost=0.03, cut=0.03, slow=0.5, slow_s=0.01)
    settings = Settings(paths=paths, page=page, requests_per_s=20, faults=faults)
    within = log.time_ms < log.time_ms[0] + 86_400_000
    which = LogFilter(from_ms=int(log.time_ms[0]), to_ms=int(log.time_ms[within][-1]))
    with LogServer(log, settings, real_ms=clock.now_ms) as server:
        found, waits = await pulled(server, clock, which)
        assert found.equals(frames.of_table(log.rows(within), frames.LOGS))  # type: ignore[attr-defined]
    assert server.violations == 0
    assert waits > 4
    assert server.counts["refused"] + server.counts["lost"] + server.counts["cut"] > 3
    assert 1 < server.face.most_at_once <= AT_ONCE


async def test_a_pull_with_bodies_keeps_them_as_they_are_told(log: Log):
    """Redacted ones redacted, and each with its own message."""
    clock = ManualClock(EPOCH_MS)
    which = LogFilter(from_ms=int(log.time_ms[0]), to_ms=int(log.time_ms[500]))
    with LogServer(log, Settings(bodies=True)) as server:
        found, _ = await pulled(server, clock, which, bodies=True)
    bodies = found.groupby("message_id")["body"].agg(["nunique", "first"])  # type: ignore[attr-defined]
    assert (bodies["nunique"] == 1).all()
    redacted = bodies["first"].str.startswith("REDACTED:")
    assert redacted.sum() > 3
    number = bodies.index.str.removeprefix("msg_").astype(int)
    assert (redacted == (number % 7 == 0)).all()
    assert (bodies["first"][~redacted] == [f'{{"order":{n}}}' for n in number[~redacted]]).all()
