import json
import socket
from pathlib import Path

import pytest

from bench.postgres import Cluster
from qsops import signing
from qsops.clock import SystemClock
from qsops.config import DEV_USERS
from service.envelope import encode as encode_envelope
from service.publishing import CONSUMER_PATH
from service.rehearsal import APP_SECRET
from service.samples import encode, sample, signed_headers
from service.webhook import WEBHOOK_PATH
from tests.engine.durability.disk import Disk
from tests.service.attack.bodies import AT_MS
from tests.service.rig import event_of
from tests.service.test_served import ask, served


def post(listening: socket.socket, mid: str) -> int:
    body = encode(sample("message", mid=mid, at_ms=AT_MS))
    return ask(listening, "POST", WEBHOOK_PATH, body=body, headers=signed_headers(APP_SECRET, body))[0]


def deliver(listening: socket.socket, mid: str) -> tuple[int, str | None]:
    body = encode_envelope(event_of("message", mid, AT_MS))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}{CONSUMER_PATH}"
    now_s = SystemClock().now_ms() // 1000
    token = signing.sign(DEV_USERS[0].keys.current, url=url, body=body, now_s=now_s, jti="jwt_1")
    status, content = ask(listening, "POST", CONSUMER_PATH, body=body, headers={"Upstash-Signature": token})
    return status, json.loads(content).get("status")


def states(listening: socket.socket) -> dict[str, str]:
    _, content = ask(listening, "GET", "/api/internal/ledger", headers={"Authorization": "Bearer i"})
    return {event["mid"]: event["state"] for event in json.loads(content)["events"]}


@pytest.mark.parametrize("what", ["full ENOSPC", "refuse EIO", "frozen EROFS"])
def test_a_disk_that_is_full_costs_nothing_but_time(listening: socket.socket, tmp_path: Path, disk: Disk, what: str):
    """While nothing can be written both sides are asked to come again and nothing is taken; then all of it is, once.

    Killed in the end, since what was answered 503 must not come back from SQLite's log either.
    """
    with served(listening, tmp_path) as process:
        assert post(listening, "before") == 200
        assert deliver(listening, "done") == (200, "processed")
        disk.does(what)
        assert [post(listening, "meanwhile") for _ in range(3)] == [503] * 3
        assert [deliver(listening, "waiting")[0] for _ in range(3)] == [503] * 3
        assert ask(listening, "GET", "/healthz")[0] == 200
        assert ask(listening, "GET", "/readyz")[0] == 503
        process.kill()
        process.wait(60)
    disk.does("ok")
    with served(listening, tmp_path):
        assert states(listening) == {"before": "queued", "done": "processed"}
        assert post(listening, "meanwhile") == 200
        assert [deliver(listening, "waiting") for _ in range(2)] == [(200, "processed"), (200, "duplicate")]
        assert deliver(listening, "done") == (200, "duplicate")
        assert ask(listening, "GET", "/readyz")[0] == 200
        expected = {"before": "queued", "done": "processed", "meanwhile": "queued", "waiting": "processed"}
        assert states(listening) == expected


def test_a_disk_that_has_room_again_is_used_without_a_restart(listening: socket.socket, tmp_path: Path, disk: Disk):
    """The same process goes on once the disk is well: nobody has to be there for it."""
    with served(listening, tmp_path):
        disk.does("full ENOSPC")
        assert (post(listening, "m-1"), deliver(listening, "m-2")[0]) == (503, 503)
        disk.does("ok")
        assert (post(listening, "m-1"), deliver(listening, "m-2")) == (200, (200, "processed"))
        assert states(listening) == {"m-1": "queued", "m-2": "processed"}


def test_a_disk_that_is_full_under_postgresql_costs_nothing_but_time(
    listening: socket.socket, tmp_path: Path, cluster_on_disk: tuple[Cluster, Disk]
):
    """As on SQLite: the server still answers, and readiness says that it takes nothing; then all of it is taken."""
    cluster, disk = cluster_on_disk
    with served(listening, tmp_path, DATABASE_URL=cluster.url()):
        assert post(listening, "before") == 200
        disk.does("full ENOSPC")
        assert ask(listening, "GET", "/readyz")[0] == 503
        # The table of messages has no page yet, so nothing can be stored in one that is there.
        assert [deliver(listening, "waiting")[0] for _ in range(3)] == [503] * 3
        assert ask(listening, "GET", "/healthz")[0] == 200
        disk.does("ok")
        assert ask(listening, "GET", "/readyz")[0] == 200
        assert [deliver(listening, "waiting") for _ in range(2)] == [(200, "processed"), (200, "duplicate")]
        assert states(listening) == {"before": "queued", "waiting": "processed"}
