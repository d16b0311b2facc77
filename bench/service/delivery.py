"""A verified, claimed, stored delivery, with its line in the log: ours beside routes that do none or one of that.

``python -m bench.service.delivery NAME COUNT [DATABASE]``; prints deliveries per second. All of them get the same
requests, no two alike, made and signed before the time begins.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.engine.figure import tell
from bench.engine.http1 import post
from bench.engine.loader import Load, load
from bench.engine.process import LOOPBACK, ProcessFailed, spending
from bench.frame import Contender, Peer, PeerMissing, Row
from bench.postgres import PostgresMissing, cluster
from bench.service.cores import SERVER_CORE, take_the_other
from bench.service.served import KEYS, Served, served
from qsops.signing import sign
from service.envelope import EVENT_ID_HEADER, encode
from service.publishing import CONSUMER_PATH
from service.samples import sample
from service.webhook import events_of

__all__ = ["CONNECTIONS", "ROWS", "all_ok", "deliveries"]

#: As many deliveries as the service takes at a time (QSOPS_CONCURRENCY), which keep each of the servers busy.
CONNECTIONS = 256
WARM_UP = 1_000


def deliveries(port: int, first: int, count: int) -> list[bytes]:
    """The requests of deliveries ``first`` and on, as QStash sends them."""
    now_s = int(time.time())
    base = f"http://{LOOPBACK}:{port}"
    return [_delivery(base, number, now_s) for number in range(first, first + count)]


def _delivery(base: str, number: int, now_s: int) -> bytes:
    value = sample("message", mid=f"mid_{number:08}", at_ms=now_s * 1000)
    (event,) = events_of(_json(value), now_s * 1000)
    body = encode(event)
    token = sign(KEYS.current, url=base + CONSUMER_PATH, body=body, now_s=now_s, jti=f"jwt_{number}")
    headers = (
        ("User-Agent", "Upstash-QStash"),
        ("Content-Type", "application/json"),
        (EVENT_ID_HEADER, event.id),
        ("Upstash-Signature", token),
        ("Upstash-Message-Id", f"msg_{number:08}"),
        ("Upstash-Retried", "0"),
        ("Upstash-Caller-Ip", "192.0.2.1"),
        ("Upstash-Region", "EU-CENTRAL-1"),
    )
    return post(CONSUMER_PATH, base.removeprefix("http://"), headers, body)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def measure(name: str, count: int, settings: dict[str, str]) -> tuple[float, str]:
    """Deliveries per second of server ``name``, and what it did for each. :raises ProcessFailed: unless all count."""
    with tempfile.TemporaryDirectory() as folder, served(name, CONSUMER_PATH, Path(folder), settings) as server:
        warm_up, requests = deliveries(server.port, count, WARM_UP), deliveries(server.port, 0, count)
        all_ok(load(server.port, CONNECTIONS, warm_up), WARM_UP)
        with spending(server.process.pid, count) as spent:
            told = load(server.port, CONNECTIONS, requests)
        all_ok(told, count)
        note = spent.note()
        if name == "ours":
            _all_stored(server, count + WARM_UP)
            note = f"{server.durability()}, {note}"
    return count / told.seconds, note


def all_ok(told: Load, count: int) -> None:
    """:raises ProcessFailed: unless each of ``count`` requests was answered 200."""
    if told.statuses != {200: count}:
        raise ProcessFailed(f"{count} requests, answers: {dict(told.statuses)}")


def _all_stored(server: Served, count: int) -> None:
    server.expect("claims", count)
    server.expect("direct_messages", count)
    server.expect("events", count, "state = 'processed' and deliveries = 1")
    server.expect_lines("delivery", count)


def main(name: str, count: int, cluster_url: str | None = None) -> None:
    """One contender, once; on a new database of the cluster if there is one."""
    take_the_other()
    settings = {"DATABASE_URL": new_database(cluster_url)} if cluster_url and name == "ours" else {}
    tell(*measure(name, count, settings))


def new_database(cluster_url: str) -> str:
    """An empty database beside the one at ``cluster_url``; how to connect to it."""
    import psycopg

    name = f"bench_{time.monotonic_ns()}"
    with psycopg.connect(cluster_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")  # type: ignore[arg-type]
    return f"{cluster_url.rpartition('/')[0]}/{name}"


def with_postgres() -> tuple[Sequence[str], Callable[[], None]]:
    """A cluster on the core of the load, as another machine would be; how to connect to it, and how to end it."""
    context = cluster()
    try:
        made = context.__enter__()
    except PostgresMissing as error:
        raise PeerMissing(str(error)) from error
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(made.pid, set(range(os.cpu_count() or 1)) - {SERVER_CORE})
    return [made.url()], lambda: context.__exit__(None, None, None) and None


_MODULE = "bench.service.delivery"
_COUNT = "20000"
_BARE = Contender("bare FastAPI route", _MODULE, ("bare", _COUNT))

ROWS = (
    Row(
        title="service: delivery verified, claimed, stored (SQLite)",
        unit="deliveries/s",
        ours=Contender("qsops service", _MODULE, ("ours", _COUNT)),
        peers=(
            Peer(_BARE, goal=1.0),
            Peer(Contender("FastAPI with the SDK's Receiver", _MODULE, ("sdk", _COUNT)), goal=1.6),
        ),
    ),
    Row(
        title="service: delivery verified, claimed, stored (PostgreSQL)",
        unit="deliveries/s",
        ours=Contender("qsops service", _MODULE, ("ours", _COUNT)),
        peers=(Peer(_BARE, goal=0.6),),
        prepare=with_postgres,
    ),
)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
