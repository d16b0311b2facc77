"""The service as a process of its own, on a real socket."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from qsops.config import DEV_USERS
from service.rehearsal import APP_SECRET
from service.samples import ACCOUNT, encode, entry, item, sample, signed_headers
from service.samples import post as of_entries
from service.webhook import BODY_LIMIT, WEBHOOK_PATH

ROOT = Path(__file__).parents[2]
WITHIN_S = 60
SERVE = """
import socket, sys, uvicorn
listening = socket.socket(fileno=int(sys.argv[1]))
uvicorn.Server(uvicorn.Config("service.app:app", log_level="warning")).run(sockets=[listening])
"""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that outlives the processes behind it: who connects waits until one of them answers."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


class Silent:
    """A QStash that takes every request and answers none, since it never comes to it; it counts them."""

    def __init__(self) -> None:
        self.requests = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def _take(self) -> None:
        while True:
            try:
                self._taken.append(self._server.accept()[0])
            except OSError:  # closed: the test is over
                return
            self.requests += 1

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for taken in self._taken:
            taken.close()


@contextmanager
def served(listening: socket.socket, folder: Path, **changes: str) -> Iterator[subprocess.Popen[str]]:
    port = listening.getsockname()[1]
    user = DEV_USERS[0]
    settings = {
        "QSOPS_DOTENV": "off",
        "QSOPS_PORT": str(port),
        # Nobody listens on the discard port.
        "QSTASH_URL": "http://127.0.0.1:9",
        "QSTASH_TOKEN": user.token,
        "QSTASH_CURRENT_SIGNING_KEY": user.keys.current,
        "INSTAGRAM_APP_SECRET": APP_SECRET,
        "INSTAGRAM_VERIFY_TOKEN": "v",
        "INTERNAL_API_TOKEN": "i",
        "DATABASE_URL": f"sqlite:///{folder / 'service.db'}",
        **changes,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(listening.fileno())],
        cwd=ROOT,
        env={**os.environ, **settings},
        pass_fds=[listening.fileno()],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WITHIN_S)


def ask(listening: socket.socket, method: str, path: str, **options: object) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=WITHIN_S)
    with closing(connection):
        connection.request(method, path, **options)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, answer.read()


def post(listening: socket.socket, mid: str) -> dict[str, int]:
    body = encode(sample("message", mid=mid, at_ms=1_767_225_600_000))
    status, content = ask(listening, "POST", WEBHOOK_PATH, body=body, headers=signed_headers(APP_SECRET, body))
    assert status == 200, content
    return json.loads(content)  # type: ignore[no-any-return]


def test_what_meta_was_answered_200_survives_kill_9(listening: socket.socket, tmp_path: Path):
    """The answer comes after the commit: a process that is killed right after it has lost nothing."""
    with served(listening, tmp_path) as first:
        assert post(listening, "m-1") == {"accepted": 1, "duplicates": 0, "queued": 1}
        first.kill()
        first.wait(WITHIN_S)
    with served(listening, tmp_path):
        assert post(listening, "m-1") == {"accepted": 0, "duplicates": 1, "queued": 0}
        _, ledger = ask(listening, "GET", "/api/internal/ledger", headers={"Authorization": "Bearer i"})
        assert [(event["mid"], event["state"]) for event in json.loads(ledger)["events"]] == [("m-1", "queued")]


def test_a_sender_sees_the_413(listening: socket.socket, tmp_path: Path):
    """A body over the limit is answered while it is still being sent, and the answer is not overtaken by a reset."""
    with served(listening, tmp_path):
        assert ask(listening, "POST", WEBHOOK_PATH, body=b"x" * (BODY_LIMIT + 1))[0] == 413
        chunks = (b"x" * (1 << 20) for _ in range(40))
        assert ask(listening, "POST", WEBHOOK_PATH, body=chunks)[0] == 413


def test_a_served_process_logs_json_and_stops_when_told(listening: socket.socket, tmp_path: Path):
    """Standard output is canonical lines, the warning about the missing next key among them; SIGTERM ends it."""
    with served(listening, tmp_path) as process:
        post(listening, "m-1")
        process.terminate()
        output, _ = process.communicate(timeout=WITHIN_S)
    lines = [json.loads(line) for line in output.splitlines()]
    assert lines[0]["warning"].startswith("QSTASH_NEXT_SIGNING_KEY")
    assert lines[1] == {"log": "webhook", "accepted": 1, "duplicates": 0, "queued": 1}
    assert lines[-1] == {"log": "stopped", "deliveries": 0, "events": 1}


POSTS = 40


@pytest.mark.parametrize("mode", ["direct", "outbox-first"])
def test_a_qstash_that_hangs_slows_a_few_posts_and_loses_none(listening: socket.socket, tmp_path: Path, mode: str):
    """Of many POSTs two at most wait for a QStash that does not answer, and a thousand updates are one of them."""
    with closing(Silent()) as qstash, served(listening, tmp_path, QSTASH_URL=qstash.url, QSOPS_INGEST_MODE=mode):
        answers = [post(listening, f"m-{number}") for number in range(POSTS)]
        assert answers == [{"accepted": 1, "duplicates": 0, "queued": 1}] * POSTS
        items = [item("message", f"n-{number}", 1) for number in range(1_000)]
        body = encode(of_entries(entry(ACCOUNT, 1, messaging=items)))
        _, told = ask(listening, "POST", WEBHOOK_PATH, body=body, headers=signed_headers(APP_SECRET, body))
        assert json.loads(told) == {"accepted": 1_000, "duplicates": 0, "queued": 1_000}
        # Beside the first POSTs it is the relay that asks, and now and then a probe.
        assert qstash.requests < POSTS / 2
        status, _ = ask(listening, "GET", "/readyz")
        assert status == 200
