"""A signed POST of Meta's, kept in the outbox before it is answered: one event beside a bare route; a thousand in time.

``python -m bench.service.webhook NAME COUNT`` prints posts per second, ``python -m bench.service.webhook thousand 5``
the milliseconds of the slowest of five posts of 1,000 updates. QStash is away, so that the relay waits and the outbox
can be counted: what the relay costs is not in these figures.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench.engine.figure import tell
from bench.engine.http1 import post
from bench.engine.loader import load
from bench.engine.process import LOOPBACK, spending
from bench.frame import Contender, Peer, Row
from bench.service.cores import take_the_other
from bench.service.delivery import CONNECTIONS, all_ok
from bench.service.served import APP_SECRET, Served, served
from service.samples import ACCOUNT, encode, entry, item, sample, signed_headers
from service.samples import post as posted
from service.webhook import WEBHOOK_PATH

__all__ = ["ROWS"]

WARM_UP = 1_000
UPDATES = 1_000
_SETTINGS = {"QSOPS_INGEST_MODE": "outbox-first"}


def measure(name: str, count: int) -> tuple[float, str]:
    """Posts per second of server ``name``, one event each, no two alike."""
    with tempfile.TemporaryDirectory() as folder, served(name, WEBHOOK_PATH, Path(folder), _SETTINGS) as server:
        warm_up, requests = _singles(count, WARM_UP), _singles(0, count)
        all_ok(load(server.port, CONNECTIONS, warm_up), WARM_UP)
        with spending(server.process.pid, count) as spent:
            told = load(server.port, CONNECTIONS, requests)
        all_ok(told, count)
        note = spent.note()
        if name == "ours":
            _all_kept(server, count + WARM_UP)
            server.expect_lines("webhook", count + WARM_UP)
            note = f"{server.durability()}, {note}"
    return count / told.seconds, note


def thousand(posts: int) -> tuple[float, str]:
    """Milliseconds of the slowest of ``posts`` posts of 1,000 updates, one after the other."""
    with tempfile.TemporaryDirectory() as folder, served("ours", WEBHOOK_PATH, Path(folder), _SETTINGS) as server:
        all_ok(load(server.port, 1, _singles(0, 50)), 50)
        slowest_s = 0.0
        for number in range(posts):
            told = load(server.port, 1, [_of_thousand(number)])
            all_ok(told, 1)
            slowest_s = max(slowest_s, told.seconds)
        _all_kept(server, 50 + posts * UPDATES)
        return slowest_s * 1000, server.durability()


def _all_kept(server: Served, count: int) -> None:
    server.expect("outbox", count, "event_id is not null")
    server.expect("events", count)


def _singles(first: int, count: int) -> list[bytes]:
    now_ms = int(time.time() * 1000)
    numbers = range(first, first + count)
    return [_signed(encode(sample("message", mid=f"mid_{number:08}", at_ms=now_ms))) for number in numbers]


def _of_thousand(number: int) -> bytes:
    now_ms = int(time.time() * 1000)
    items = [item("message", f"mid_{number}_{one:04}", now_ms, person=f"9{one:014}") for one in range(UPDATES)]
    return _signed(encode(posted(entry(ACCOUNT, now_ms, messaging=items))))


def _signed(body: bytes) -> bytes:
    return post(WEBHOOK_PATH, LOOPBACK, tuple(signed_headers(APP_SECRET, body).items()), body)


def main(name: str, count: int) -> None:
    """One contender, once."""
    take_the_other()
    tell(*(thousand(count) if name == "thousand" else measure(name, count)))


_MODULE = "bench.service.webhook"
_COUNT = "10000"

ROWS = (
    Row(
        title="service: signed webhook POST of one event, outbox first (SQLite)",
        unit="posts/s",
        ours=Contender("qsops service", _MODULE, ("ours", _COUNT)),
        peers=(Peer(Contender("bare FastAPI route", _MODULE, ("bare", _COUNT)), goal=0.8),),
    ),
    Row(
        title="service: webhook POST of 1,000 updates, outbox first (SQLite)",
        unit="ms",
        ours=Contender("qsops service", _MODULE, ("thousand", "5")),
        rounds=3,
        limit=100,
    ),
)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
